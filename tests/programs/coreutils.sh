# coreutils: some sixty of the small programs.
needs ls sort
workload() {
  mkdir -p d/e; echo one > d/one; printf 'b\na\nc\n' > d/two; ln -s one d/link; ln d/one d/hard; mkfifo d/pipe
  ls d; ls -l d | grep -v -e total -e '^d' | awk '{print $1, $2, $5, $9, $10, $11}'; ls -i d/one d/hard | awk '{print $1}' | uniq | wc -l
  cp -a d copy; cp -r --reflink=auto d/e e2; mv copy/two copy/three; cat copy/three | tac
  sort d/two; sort -r d/two | uniq -c; wc d/two; cut -c1 d/two | paste -s; tr a-z A-Z < d/two; head -1 d/two; tail -1 d/two
  chmod 600 d/one; stat -c '%a %s %h %F' d/one d/link d/pipe; touch -d '2001-02-03 04:05:06' d/one; stat -c %Y d/one
  dd if=/dev/zero of=zeros bs=1k count=10 2>/dev/null; du -b zeros; truncate -s 5 zeros; cksum zeros; sha256sum zeros
  split -b 2 zeros part.; ls part.*; rm part.*; install -m 755 d/two installed; test -x installed && echo executable
  realpath d/link | sed 's|.*files||'; readlink -f d/e/../link | sed 's|.*files||'; basename /a/b; dirname /a/b
  seq 3 | tee teed | shuf -n 3 | sort; comm -12 teed d/two; join teed teed; expand d/two | nl; fold -w 1 d/one | od -An -c
  mktemp -u XXX | wc -c; env -i A=1 env; printenv HOME | sed 's|.*/||'; nice -n 5 true; nohup true 2>/dev/null; timeout 5 true
  expr 6 \* 7; factor 42; numfmt --to=iec 2048; date -d @0 +%F; pwd | sed 's|.*files|.|'; df . >/dev/null && echo df; uname -s; arch
  rmdir e2 d/e; unlink d/hard; rm -f d/pipe; rm -r copy/e; link d/one linked; ls | sort; sync zeros; stty -F /dev/null 2>/dev/null; echo $?
  echo x > d/'odd name'; ls d | cat -A; base64 d/one; md5sum d/* | sort; chgrp "$(id -g)" d/one; id -u; groups >/dev/null; tty; [ -e d ] && echo bracket
  ls nowhere 2>&1; cat d 2>&1; mkdir d 2>&1; rmdir d 2>&1; cp d x 2>&1; ln -s a d/one 2>&1; true
}
