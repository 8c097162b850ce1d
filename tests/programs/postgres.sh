# PostgreSQL: initdb, a server on a unix socket, SQL, pgbench, a clean stop and a restart.
# Debian has no other place for its server's commands.
for commands in /usr/lib/postgresql/*/bin; do PATH=$commands:$PATH; done
needs psql initdb pgbench pg_ctl
[ "$(id -u)" != 0 ] || skip "PostgreSQL refuses to run as root"
leaves_nothing_to_compare() { :; }
workload() {
  export PGHOST="$PWD" PGUSER=u PGDATABASE=postgres
  initdb -D data -U u -A trust --no-locale -E UTF8 >initdb.log 2>&1 || { tail -5 initdb.log; return 1; }
  pg_ctl -D data -o "-k $PWD -c listen_addresses='' -c shared_buffers=16MB -c max_connections=20" -l log -w start >/dev/null || { cat log; return 1; }
  psql -qAtc "create table t as select g as a, 'row ' || g as b from generate_series(1, 2000) g; create index on t(b); select count(*), sum(a) from t; select b from t where b = 'row 77'"
  pgbench -q -i -s 1 >/dev/null 2>&1; pgbench -c 4 -j 2 -t 50 2>/dev/null | grep 'actually processed'
  psql -qAtc 'vacuum analyze; checkpoint'; pg_ctl -D data -m fast -w stop >/dev/null; echo "stop $?"
  pg_ctl -D data -o "-k $PWD -c listen_addresses=''" -l log -w start >/dev/null; psql -qAtc 'select count(*) from t; select count(*) from pgbench_history'; pg_ctl -D data -m fast -w stop >/dev/null
  grep -ciE 'panic|fatal:.*could not' log
  true
}
