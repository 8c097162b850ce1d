# redis-server and redis-benchmark over a unix socket and the sandbox's own loopback, with a dump on disk.
needs redis-server redis-cli redis-benchmark
leaves_nothing_to_compare() { :; }
workload() {
  redis-server --port 6399 --bind 127.0.0.1 --unixsocket "$PWD/r.sock" --daemonize no --save '' --dir "$PWD" >log 2>&1 &
  server=$!
  wait_until 100 redis-cli -s "$PWD/r.sock" ping || { tail -5 log; return 1; }
  redis-cli -s "$PWD/r.sock" set key value; redis-cli -p 6399 get key; redis-cli -p 6399 incr n
  redis-benchmark -p 6399 -q -n 5000 -c 10 -t set,get,lpush 2>&1 | tr '\r' '\n' | grep -c 'requests per second'
  redis-cli -p 6399 bgsave; wait_until 50 test -s dump.rdb; redis-cli -p 6399 dbsize | sed 's/[0-9][0-9]*/some/'
  redis-cli -p 6399 shutdown nosave; wait $server; echo "server $?"
}
