# nginx answers curl on the sandbox's own loopback: files, a listing, a range, many requests at once.
needs nginx curl
leaves_nothing_to_compare() { :; }
workload() {
  mkdir -p www/sub logs tmp; echo 'hello from nginx' > www/index.html; seq 10000 > www/big; echo s > www/sub/f
  cat > conf <<CONF
pid $PWD/pid; error_log $PWD/logs/error; worker_processes 2; daemon off;
events { worker_connections 64; }
http { access_log $PWD/logs/access; client_body_temp_path $PWD/tmp; proxy_temp_path $PWD/tmp/p; fastcgi_temp_path $PWD/tmp/f; uwsgi_temp_path $PWD/tmp/u; scgi_temp_path $PWD/tmp/s; sendfile on;
  server { listen 127.0.0.1:8399; root $PWD/www; location /sub { autoindex on; } } }
CONF
  [ "$(id -u)" != 0 ] || sed -i '1i user root;' conf
  nginx -p "$PWD" -c "$PWD/conf" >out 2>&1 &
  server=$!
  wait_until 100 curl -sf http://127.0.0.1:8399/ || { cat out logs/error; kill $server; return 1; }
  curl -s http://127.0.0.1:8399/; curl -s http://127.0.0.1:8399/big | md5sum; curl -s -r 0-9 http://127.0.0.1:8399/big; curl -s http://127.0.0.1:8399/sub/ | grep -c 'f</a>'
  curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8399/missing
  seq 50 | xargs -P 8 -I{} curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8399/big | sort | uniq -c
  kill -QUIT $server; wait $server; echo "server $?"; wc -l < logs/access
}
