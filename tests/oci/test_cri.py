"""Kubernetes' way: containerd's CRI plugin with `sandbox` as a pod's runtime handler."""
import os

from bundles import wait_until
from cases import SANDBOX, Skip, check, equal, main
from cri import Cri, decode
from daemons import IMAGE, Daemon, write_image

CONFIG = """version = 2
root = "{0}/root"
state = "{0}/state"
[grpc]
  address = "{0}/grpc.sock"
[ttrpc]
  address = "{0}/ttrpc.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{1}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "{0}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "sandbox"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sandbox]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.sandbox.options]
      BinaryName = "{2}"
"""
PAUSE = "docker.io/library/sandbox-pause:1"
OF_CONTAINER, OF_NODE = 1, 2  # NamespaceMode; 0: of the pod
EXITED = 2                    # ContainerState


class Kubelet(Daemon):
    """What a kubelet asks of containerd, on the node's network."""

    def __init__(self):
        super().__init__("containerd", "ctr", "containerd-shim-runc-v2")
        try:
            import grpc
        except ImportError:
            raise Skip("needs grpc (Debian package python3-grpcio)") from None
        with open(f"{self.folder}/config.toml", "w") as file:
            file.write(CONFIG.format(self.folder, PAUSE, SANDBOX))
        self.cri = Cri(grpc, f"{self.folder}/grpc.sock")
        self.start(["containerd", "--config", f"{self.folder}/config.toml"], self.is_ready)
        for name, command in ((IMAGE, ["sh"]), (PAUSE, ["sleep", "1000000"])):
            imported = self.ctr("images", "import", write_image(self.folder, name, command))
            check(imported.returncode == 0, imported.stderr)
        self.namespaces = {1: {1: OF_NODE, 2: OF_CONTAINER}}
        self.config = {1: {1: "pod", 2: f"uid-{os.getpid()}", 3: "default"}, 3: f"{self.folder}/logs",
                       8: {1: f"/sandbox-cri-{os.getpid()}", 2: self.namespaces}}
        self.pod = self.cri("RunPodSandbox", {1: self.config, 2: "sandbox"})[1].decode()

    def is_ready(self):
        try:
            return bool(self.cri("Version", {}))
        except self.cri.grpc.RpcError:
            return False

    def ctr(self, *words):
        return self.command("ctr", "--address", f"{self.folder}/grpc.sock", "--namespace", "k8s.io", *words)

    def container(self, name, script):
        config = {1: {1: name}, 2: {1: IMAGE}, 3: ["sh", "-c", script], 11: f"{name}.log", 15: {2: {3: self.namespaces[1]}}}
        made = self.cri("CreateContainer", {1: self.pod, 2: config, 3: self.config})[1].decode()
        self.cri("StartContainer", {1: made})
        return made

    def execute(self, container, *words):
        """Exit code and output."""
        answer = self.cri("ExecSync", {1: container, 2: list(words), 3: 30})
        return answer.get(3, 0), answer.get(1, b"").decode()

    def log_of(self, name):
        with open(f"{self.folder}/logs/{name}.log") as file:
            return file.read()

    def clean(self):
        if hasattr(self, "pod"):
            self.cri("StopPodSandbox", {1: self.pod})
            self.cri("RemovePodSandbox", {1: self.pod})


def test_a_pod_with_two_containers():
    kubelet = Kubelet()
    first = kubelet.container("first", "echo started; while :; do sleep 0.05; done")
    second = kubelet.container("second", "sleep 1000")
    wait_until(lambda: "stdout F started" in kubelet.log_of("first"))
    equal(kubelet.execute(first, "echo", "inside"), (0, "inside\n"))
    equal(kubelet.execute(second, "sh", "-c", "exit 9")[0], 9)
    kubelet.cri("StopContainer", {1: first, 2: 0})
    equal(decode(kubelet.cri("ContainerStatus", {1: first})[1])[3], EXITED)
    equal(kubelet.execute(second, "echo", "still"), (0, "still\n"))
    for container in (first, second):
        kubelet.cri("RemoveContainer", {1: container})


if __name__ == "__main__":
    main(globals())
