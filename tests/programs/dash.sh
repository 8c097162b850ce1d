# dash: a POSIX shell with its loops, functions, traps and pipes, and two hundred forks.
needs dash
workload() {
  dash -c '
    i=0; while [ $i -lt 200 ]; do /bin/true || echo bad; i=$((i + 1)); done; echo $i
    f() { local x=$1; echo "f $x"; return 3; }; f y; echo $?
    trap "echo bye" EXIT
    echo a b c | while read x y; do echo "$y"; done
    cat <<-EOT
	indented
	EOT
    case abc in a*) echo starts;; esac
    x=$(ls / | grep -c usr); echo $x
    set -- 1 2 3; shift; echo "$@" $#
    mkfifo p; (echo through > p) & cat p; wait
    test -p p && echo fifo
    echo err >&2 2>/dev/null
    cd /usr && pwd -P
  '
}
