# npm: installs a package from a local directory and from a local archive, and runs its script.
needs node npm
leaves_nothing_to_compare() { :; }
workload() {
  export npm_config_update_notifier=false npm_config_audit=false npm_config_fund=false npm_config_cache="$HOME/npm" npm_config_offline=true
  mkdir -p lib app; cd lib
  echo '{"name": "lib", "version": "1.2.3", "main": "i.js", "bin": {"libtool": "b.js"}}' > package.json; echo 'module.exports = 42;' > i.js; printf '#!/usr/bin/env node\nconsole.log("tool");\n' > b.js
  npm pack --silent; cd ../app
  echo '{"name": "app", "version": "1.0.0", "scripts": {"go": "node -e \"console.log(require(\\\"lib\\\"))\""}}' > package.json
  npm install --silent ../lib/lib-1.2.3.tgz 2>&1 | tail -3; npm run --silent go; node_modules/.bin/libtool; npm ls --silent | tail -2 | head -1 | sed 's/.*lib/lib/'
  ls node_modules | sort
}
