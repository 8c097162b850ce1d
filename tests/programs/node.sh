# node: files, child processes, workers, streams, a local server, and npm install of a local package.
needs node
workload() {
  cat > t.js <<'JS'
const fs = require('fs'), cp = require('child_process'), http = require('http'), net = require('net'), path = require('path'), { Worker, isMainThread } = require('worker_threads');
if (!isMainThread) { require('worker_threads').parentPort.postMessage(fs.readFileSync('f', 'utf8')); return; }
(async () => {
  fs.writeFileSync('f', 'content'); fs.mkdirSync('d/e', { recursive: true }); fs.copyFileSync('f', 'd/e/g'); fs.renameSync('d/e/g', 'd/h');
  console.log(fs.readdirSync('.').sort().join(), fs.statSync('d/h').size, fs.existsSync('missing'));
  await fs.promises.appendFile('f', ' more'); console.log(await fs.promises.readFile('f', 'utf8'));
  await Promise.all([...Array(50).keys()].map(i => fs.promises.writeFile('d/n' + i, String(i)))); console.log(fs.readdirSync('d').length);
  console.log(cp.execSync('echo exec').toString().trim(), cp.spawnSync('sh', ['-c', 'exit 3']).status);
  console.log(await new Promise(done => new Worker(__filename).on('message', done)));
  const child = cp.fork(path.join(__dirname, 'c.js')); console.log(await new Promise(done => { child.on('message', done); child.send('ping'); }));
  const server = http.createServer((q, r) => r.end('served ' + q.url)); await new Promise(done => server.listen(0, '127.0.0.1', done));
  console.log(await new Promise(done => http.get({ port: server.address().port, path: '/x' }, r => { let s = ''; r.on('data', c => s += c).on('end', () => done(s)); }))); server.close();
  const unix = net.createServer(s => s.end('unix')); await new Promise(done => unix.listen('s.sock', done));
  console.log(await new Promise(done => net.connect('s.sock').on('data', d => done(String(d))))); unix.close();
  const watcher = fs.watch('d', (event, name) => { console.log('watched', name); watcher.close(); }); fs.writeFileSync('d/watched', '');
  await new Promise(done => setTimeout(done, 200));
  fs.createReadStream('f').pipe(fs.createWriteStream('piped')).on('finish', () => console.log(fs.readFileSync('piped', 'utf8')));
  try { fs.openSync('missing'); } catch (e) { console.log(e.code); }
})();
JS
  echo 'process.on("message", m => { process.send("got " + m); process.disconnect(); });' > c.js
  node t.js
}
