# tar, gzip, xz, bzip2: archives that come back as they were.
needs tar gzip xz
workload() {
  mkdir -p t/d/e; cp -r /usr/share/doc/bash t/ ; ln -s d t/l; echo x > t/f; ln t/f t/hard; chmod 640 t/f; mkfifo t/p; truncate -s 1M t/sparse
  touch -d '2001-01-01' t/f
  tar --sort=name -cf a.tar t; tar tvf a.tar | awk '{print $1, $3, $6, $7, $8}' | md5sum; mkdir out; tar xpf a.tar -C out; diff -r --no-dereference t out/t 2>&1 | grep -v fifo
  stat -c '%a %Y %h' out/t/f; tar --sort=name -czf a.tgz t; tar tzf a.tgz | wc -l; tar --sort=name -cJf a.txz t; tar xOJf a.txz t/f
  tar cSf sparse.tar t/sparse; tar xSf sparse.tar -C out; stat -c %s out/t/sparse; rm sparse.tar
  tar --xattrs -cf x.tar t/f; tar --delete -f x.tar t/f; tar rf x.tar t/f; tar tf x.tar; rm x.tar
  gzip -9 < t/f | gunzip; xz -T2 < a.tar | xz -d | cmp - a.tar && echo same; gzip -k t/f; gzip -t t/f.gz && echo good; zcat t/f.gz; rm t/f.gz
  tar cf - t | tar tf - | wc -l; rm -f a.t* 
  tar cf - -C /usr/share/doc . 2>/dev/null | tar tf - | sort | md5sum
}
