# busybox: one static program under many names, which starts itself through /proc/self/exe.
needs busybox
workload() {
  busybox sh -c '
    echo hello | busybox sed s/hello/bye/
    mkdir -p t/u && echo data > t/u/f && busybox tar cf t.tar t && busybox tar tf t.tar
    busybox find t -type f -exec busybox cat {} \;
    ln -s u/f t/l; busybox readlink t/l; busybox stat -c "%s %a" t/u/f
    busybox seq 5 | busybox awk "{s += \$1} END {print s}"
    busybox gzip -k t/u/f && busybox zcat t/u/f.gz
    busybox md5sum t/u/f; busybox od -c t/u/f | busybox head -1
    busybox ls -l / | busybox grep -c usr
    busybox vi -h 2>&1 | busybox head -0
    busybox ps >/dev/null && echo ps; busybox df / >/dev/null && echo df; busybox free >/dev/null && echo free
    rm -r t.tar t/u/f.gz
  '
  busybox busybox true; echo $?
}
