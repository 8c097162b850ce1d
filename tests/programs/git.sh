# git: init, commit, branch, merge, clone, gc, status.
needs git
workload() {
  git config --global user.name N; git config --global user.email e@x; git config --global init.defaultBranch main; git config --global gc.autoDetach false
  export GIT_AUTHOR_DATE='2001-01-01 00:00:00 +0000' GIT_COMMITTER_DATE='2001-01-01 00:00:00 +0000'
  git init -q r; cd r
  for i in $(seq 100); do echo "file $i" > f$i; mkdir -p d$((i % 7)); echo "$i" > d$((i % 7))/g$i; done
  git add -A; git commit -qm first; git log --format='%H %s'; git status --short
  echo change >> f1; rm f2; echo new > new; git status --short; git diff --stat; git stash -q; git stash pop -q
  git checkout -qb branch; git add -A; git commit -qm second; git checkout -q main; echo other > f3; git commit -qam third
  git merge -q branch -m merged 2>&1; git log --oneline --graph | cat; git rev-parse HEAD
  git tag v1; git gc -q 2>&1; git count-objects -v | grep -E '^(in-pack|packs|garbage)'; git fsck 2>&1 | grep -v '^notice'
  cd ..; git clone -q r c; git clone -q --no-local r n 2>&1; cd c; git log -1 --format=%H; git ls-files | wc -l; git status --short; git blame f1 | cut -c1-9 | sort -u | wc -l
  git mv f5 moved; git commit -qm moved; git push -q origin HEAD:refs/heads/pushed 2>&1; git worktree add -q ../w; git -C ../w status --short; git bisect start -q 2>/dev/null; git bisect reset -q 2>/dev/null
  git archive HEAD | tar tf - | wc -l; git grep -c 'file 1$' | head -3; cd ..
  git -C r rev-parse pushed; find . -name .git -prune -o -type f -print | wc -l
  rm -rf r/.git c/.git n/.git w/.git
}
