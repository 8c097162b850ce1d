# bash: pipes, redirections, traps, jobs, process substitution, here documents, arrays.
needs bash
workload() {
  bash -c '
    set -o pipefail
    echo one two three | tr " " "\n" | sort -r | head -2
    for i in $(seq 50); do echo $i; done | awk "{s+=\$1} END {print s}"
    diff <(printf "a\nb\n") <(printf "a\nc\n"); echo "diff $?"
    cat <<HERE
here $((6 * 7))
HERE
    trap "echo trapped" USR1; kill -USR1 $$; echo after
    (exit 7); echo "status $?"
    sleep 0.1 & wait $!; echo "waited $?"
    sleep 100 & kill %1; wait %1 2>/dev/null; echo "killed $?"
    declare -A map=([x]=1 [y]=2); echo ${!map[@]} | tr " " "\n" | sort
    mkdir -p a/b && cd a/b && pwd | sed "s|.*files||"; cd - >/dev/null
    echo text > f; echo more >> f; exec 5< f; read -u 5 line; echo "$line"; exec 5<&-
    [[ -r f && ! -x f ]] && echo tests
    for n in 1 2 3; do (for m in 1 2 3; do echo "$n$m" > "out$n$m" & done; wait) & done; wait; ls out* | wc -l
    coproc cat; echo hello >&${COPROC[1]}; read -u ${COPROC[0]} line; echo $line
    ulimit -n 64; ulimit -n
    printf "%s\n" *.nothing; shopt -s nullglob; printf "%s\n" out1*; umask 077; touch secret; stat -c %a secret
    type -P ls; command -v cd; echo $0 $# $-| cut -c1-4
    timeout 0.2 sleep 5; echo "timeout $?"
    bash -c "kill -SEGV \$\$"; echo "signal $?"
  ' 2>&1 | grep -v "Segmentation fault"
}
