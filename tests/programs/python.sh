# python3: subprocess, multiprocessing, asyncio, sqlite3, venv, tempfile, mmap, sockets, threads.
needs python3
workload() {
  cat > t.py <<'PY'
import asyncio, ctypes, fcntl, glob, json, mmap, multiprocessing, os, pathlib, select, shutil, signal, socket, sqlite3
import subprocess, sys, tempfile, threading, time, zipfile

def square(x):
    return x * x

def main():
    print(subprocess.run(["echo", "sub"], capture_output=True, text=True).stdout.strip())
    print(subprocess.run("exit 5", shell=True).returncode)
    print(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE).communicate(b"piped")[0])
    try:
        subprocess.run(["/missing"])
    except FileNotFoundError as error:
        print(error.errno)
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(3) as pool:
            print(method, pool.map(square, range(8)))
    queue = multiprocessing.Queue()
    child = multiprocessing.Process(target=queue.put, args=("from child",))
    child.start(); print(queue.get()); child.join()
    async def work():
        process = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        async def handle(reader, writer):
            writer.write(await reader.readline()); writer.close()
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"echo\n")
        unix = await asyncio.start_unix_server(handle, "s.sock")
        reader2, writer2 = await asyncio.open_unix_connection("s.sock")
        writer2.write(b"unix\n")
        print(out, await reader.readline(), await reader2.readline())
        await asyncio.gather(*(asyncio.sleep(0.01) for _ in range(10)))
    asyncio.run(work())
    os.unlink("s.sock")
    database = sqlite3.connect("d.sqlite")
    database.execute("create table t (a integer primary key, b text)")
    database.executemany("insert into t (b) values (?)", [(str(i),) for i in range(100)])
    database.commit()
    print(database.execute("select count(*), max(b) from t").fetchone()); database.close(); os.unlink("d.sqlite")
    with tempfile.TemporaryDirectory() as directory, tempfile.NamedTemporaryFile(dir=directory) as file:
        file.write(b"x" * 5000); file.flush()
        print(os.path.getsize(file.name), sorted(os.listdir(directory)) == [os.path.basename(file.name)])
        with open(file.name, "r+b") as again, mmap.mmap(again.fileno(), 0) as view:
            view[0:3] = b"map"; print(view[:4])
    with tempfile.TemporaryFile() as file:
        file.write(b"nameless"); file.seek(0); print(file.read())
    pathlib.Path("a/b").mkdir(parents=True); pathlib.Path("a/b/f").write_text("text"); shutil.copytree("a", "c"); os.replace("c/b/f", "c/g")
    print(sorted(glob.glob("**", recursive=True))); shutil.make_archive("z", "zip", "a"); print(zipfile.ZipFile("z.zip").namelist()); os.unlink("z.zip")
    with open("lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX); print(os.fstat(lock.fileno()).st_size)
    seen = []
    threads = [threading.Thread(target=lambda i=i: seen.append(os.stat("/etc/passwd").st_size > 0)) for i in range(20)]
    [thread.start() for thread in threads]; [thread.join() for thread in threads]; print(len(seen), all(seen))
    signal.signal(signal.SIGALRM, lambda *_: seen.append("alarm")); signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2); print(seen[-1])
    reader, writer = os.pipe(); pid = os.fork()
    if pid == 0:
        os.write(writer, b"child"); os._exit(3)
    print(os.read(reader, 10), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    a, b = socket.socketpair(); socket.send_fds(a, [b"x"], [os.open("a", os.O_RDONLY)]); _, fds, _, _ = socket.recv_fds(b, 1, 1); print(os.listdir(fds[0]))
    print(ctypes.CDLL(None).getpid() == os.getpid(), sys.executable != "", json.dumps(os.sched_getaffinity(0) != set()))
    with os.scandir("/usr/bin") as entries:
        print(sum(1 for _ in entries) > 100)
    print(len(list(os.walk("/usr/share/doc"))) > 10)

if __name__ == "__main__":
    main()
PY
  python3 t.py
  python3 -m venv --without-pip v && v/bin/python -c 'import sys; print(sys.prefix != sys.base_prefix)'; rm -rf v
  python3 -c 'import http.server, threading, urllib.request as u
s = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler); s.RequestHandlerClass.log_message = lambda *a: None
threading.Thread(target=s.serve_forever, daemon=True).start(); print(len(u.urlopen("http://127.0.0.1:%d/t.py" % s.server_port).read()))'
  python3 -m compileall -q t.py; ls __pycache__ | wc -l
}
