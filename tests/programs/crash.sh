# A crash gives 139 and leaves no core file; an abort gives 134.
needs gcc
workload() {
  echo 'int main(void){ *(volatile int*)0 = 1; }' | gcc -xc - -o segv; echo '#include <stdlib.h>
int main(void){ abort(); }' | gcc -xc - -o abrt
  (ulimit -c unlimited 2>/dev/null; ./segv; echo "segv $?"; ./abrt; echo "abort $?") 2>/dev/null
  rm -f core core.*
}
