# findutils: find over /usr, its tests and actions, and xargs.
needs find xargs
workload() {
  find /usr/share/doc -maxdepth 2 -name 'b*' | sort | md5sum
  find /usr/lib -type f -size +4M -printf '%s %p\n' | sort | md5sum
  find /usr/bin -type l -printf '%p %l\n' | sort | md5sum
  find /etc -maxdepth 1 -type d -printf '%m %p\n' 2>/dev/null | sort | md5sum
  mkdir -p a/b/c; touch -d '2000-01-01' a/old; echo x > a/b/new; ln -s b a/l; chmod 700 a/b/c
  find a -newer a/old | sort; find a -type f -empty; find -L a -name new | sort; find a -perm 700; find a -samefile a/b/new
  find a -name new -exec cat {} + ; find a -depth | tail -1; find a -mindepth 1 -maxdepth 1 -printf '%f %y %d\n' | sort
  find a -type f -print0 | sort -z | xargs -0 -n 1 basename; seq 20 | xargs -n 5 -P 4 echo | wc -l; seq 100 | xargs -I{} -P 2 true {}
  find a -name old -delete; find a -xdev -links 1 | sort; find a ! -readable
}
