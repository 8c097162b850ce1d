# tmux and vim in a pseudo terminal, and script(1).
needs tmux vim script
leaves_nothing_to_compare() { :; }
workload() {
  export TMUX_TMPDIR="$PWD"
  tmux -L t -f /dev/null new-session -d -x 80 -y 24 'echo in-$((40 + 2)); tty | cut -c1-9; exec cat' || return 1
  wait_until 200 sh -c 'tmux -L t capture-pane -p | grep -q "^/dev/pts"'; tmux -L t capture-pane -p | grep -E '^(in-42|/dev/pts/)'
  tmux -L t send-keys typed Enter; wait_until 100 sh -c 'test $(tmux -L t capture-pane -p | grep -c typed) = 2' && echo echoed
  tmux -L t split-window 'echo split > split.txt'; wait_until 50 test -s split.txt; cat split.txt; tmux -L t resize-window -x 100 -y 30 2>/dev/null; tmux -L t list-windows | wc -l
  tmux -L t kill-server; printf 'one\ntwo\n' > f
  script -qec "vim -Nu NONE -n -c '%s/two/three/' -c 'normal Gofour' -c wq f" /dev/null >/dev/null </dev/null; cat f
  vim -Nu NONE -es -c '%s/one/1/' -c wq f; cat f
  script -qec 'stty size; test -t 0 && echo tty; kill -INT $$; echo not reached' /dev/null </dev/null | tr -d '\r' | head -3
}
