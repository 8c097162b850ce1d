# sqlite3: transactions with a journal and with a write-ahead log, two processes, an index, a dump.
needs sqlite3
workload() {
  for mode in delete wal; do
    sqlite3 $mode.db "pragma journal_mode=$mode; create table t(a integer primary key, b text); with recursive c(x) as (select 1 union all select x+1 from c where x<5000) insert into t select x, 'row '||x from c; create index i on t(b); select count(*), sum(a) from t;"
    (for i in 1 2 3 4 5; do sqlite3 -cmd '.timeout 5000' $mode.db "insert into t(b) values('a$i')"; done) & (for i in 1 2 3 4 5; do sqlite3 -cmd '.timeout 5000' $mode.db "insert into t(b) values('b$i')"; done) & wait
    sqlite3 $mode.db "select count(*) from t; pragma integrity_check; vacuum;"
    sqlite3 $mode.db "begin; delete from t; rollback; select count(*) from t where b like 'row 1%';"; sqlite3 $mode.db 'select b from t order by b' | md5sum
  done
  rm -f *.db*; ls
}
