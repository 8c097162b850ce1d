"""Makes OCI image layouts and docker's archives, honest and hostile, out of tar entries."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

BUSYBOX = shutil.which("busybox")


def entry(name, content=b"", **fields):
    """A tar entry; `fields` are TarInfo's: mode, uid, gid, type, linkname, mtime, pax_headers, devmajor, devminor."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def directory(name, **fields):
    return entry(name, type=tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def symlink(name, target, **fields):
    return entry(name, type=tarfile.SYMTYPE, linkname=target, **fields)


def hard_link(name, target):
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def layer(*entries, format=tarfile.PAX_FORMAT):
    """An uncompressed tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def busybox_layer(*more):
    """A root file system with a shell, and `more` entries."""
    with open(BUSYBOX, "rb") as file:
        content = file.read()
    names = ("sh", "ls", "cat", "id", "stat", "env", "pwd", "echo", "touch", "rm", "find", "chown", "chmod", "mknod", "test", "readlink",
             "true", "mkdir", "grep", "dd", "head", "nc", "sleep")
    return layer(directory("bin"), entry("bin/busybox", content, mode=0o755),
                 *(symlink(f"bin/{name}", "busybox") for name in names),
                 directory("etc"), entry("etc/passwd", b"root:x:0:0::/root:/bin/sh\nfred:x:1000:1001::/home/fred:/bin/sh\n"),
                 entry("etc/group", b"root:x:0:\nfred:x:1001:\nwheel:x:10:fred\n"),
                 directory("root", mode=0o700), directory("tmp", mode=0o1777), directory("home"),
                 directory("home/fred", uid=1000, gid=1001), *more)


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def zstd(data):
    return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout


COMPRESSIONS = {"": lambda data: data, "+gzip": lambda data: gzip.compress(data, mtime=0), "+zstd": zstd}


class Layout:
    """Files of an OCI image layout, to be changed before they are written."""

    def __init__(self):
        self.blobs = {}
        self.index = {"schemaVersion": 2, "manifests": []}

    def add(self, data):
        self.blobs[digest(data)] = data
        return {"digest": digest(data), "size": len(data)}

    def add_json(self, value, media_type):
        return {"mediaType": media_type, **self.add(json.dumps(value).encode())}

    def image(self, layers, config=None, tag=None, compression="+gzip", platform=("linux", "amd64"), change=lambda manifest, config: None):
        document = {"os": platform[0], "architecture": platform[1], "config": {"Cmd": ["sh"], **(config or {})},
                    "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]}}
        manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                    "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar" + compression,
                                **self.add(COMPRESSIONS[compression](data))} for data in layers]}
        change(manifest, document)
        manifest["config"] = self.add_json(document, "application/vnd.oci.image.config.v1+json")
        descriptor = self.add_json(manifest, manifest["mediaType"])
        if tag:
            descriptor["annotations"] = {"org.opencontainers.image.ref.name": tag}
        self.index["manifests"].append(descriptor)
        return descriptor

    def files(self):
        yield "oci-layout", b'{"imageLayoutVersion":"1.0.0"}'
        yield "index.json", json.dumps(self.index).encode()
        for name, data in self.blobs.items():
            yield "blobs/" + name.replace(":", "/"), data

    def write(self, folder):
        for name, data in self.files():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(data)
        return "oci:" + folder

    def write_archive(self, path):
        with open(path, "wb") as file:
            file.write(layer(*(entry(name, data) for name, data in self.files())))
        return "oci-archive:" + path


def docker_archive(path, layers, config=None, tags=("box:latest",), extra=()):
    """As `docker save` wrote it before 25: a directory for each layer, and a second mention of one is a link."""
    document = json.dumps({"os": "linux", "architecture": "amd64", "config": {"Cmd": ["sh"], **(config or {})},
                           "rootfs": {"type": "layers", "diff_ids": [digest(data) for data in layers]}}).encode()
    name = digest(document)[7:] + ".json"
    entries, paths, seen = [entry(name, document)], [], {}
    for number, data in enumerate(layers):
        paths.append(f"{number}/layer.tar")
        if data in seen:
            entries.append(symlink(paths[-1], f"../{seen[data]}"))
        else:
            entries.append(entry(paths[-1], data))
        seen.setdefault(data, paths[-1])
    manifest = [{"Config": name, "RepoTags": list(tags), "Layers": paths}, *extra]
    entries.append(entry("manifest.json", json.dumps(manifest).encode()))
    with open(path, "wb") as file:
        file.write(layer(*entries))
    return "docker-archive:" + path
