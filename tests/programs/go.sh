# A static Go program: runsc --version, and go build where Go is installed.
workload() {
  if command -v runsc >/dev/null; then runsc --version; fi
  if command -v go >/dev/null; then
    export GOCACHE="$HOME/go" GOPATH="$HOME/gopath" GOFLAGS=-mod=mod GOPROXY=off GO111MODULE=off CGO_ENABLED=0
    mkdir -p m; cat > m/m.go <<'GO'
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
)

func main() {
	os.WriteFile("f", []byte("written by Go"), 0600)
	text, _ := os.ReadFile("f")
	fmt.Println(string(text), runtime.GOOS)
	out, _ := exec.Command("echo", "from a child").Output()
	fmt.Print(string(out))
	count := 0
	filepath.Walk("/usr/share/doc/bash", func(string, os.FileInfo, error) error { count++; return nil })
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) { defer group.Done(); os.Stat("/etc/passwd"); os.WriteFile(fmt.Sprint("g", i), nil, 0644) }(i)
	}
	group.Wait()
	names, _ := filepath.Glob("g*")
	fmt.Println(count > 0, len(names))
}
GO
    (cd m && go build -o ../prog m.go) && ./prog; rm -f prog
  fi
}
command -v runsc >/dev/null || command -v go >/dev/null || skip "neither runsc nor go is installed"
