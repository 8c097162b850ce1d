# gcc, g++, make: a small project of C and C++ with a library, built in parallel, then changed and built again.
needs gcc g++ make ar
workload() {
  mkdir -p src
  for i in 1 2 3 4 5 6; do echo "int f$i(int x) { return x + $i; }" > src/f$i.c; done
  printf 'int f1(int); int f2(int); int f3(int); int f4(int); int f5(int); int f6(int);\n#include <stdio.h>\nint main(void) { printf("%%d\\n", f1(f2(f3(f4(f5(f6(0))))))); return 0; }\n' > src/main.c
  printf '#include <algorithm>\n#include <iostream>\n#include <map>\n#include <string>\n#include <vector>\nint main() { std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end()); std::map<std::string, int> m{{"a", v[0]}}; try { m.at("b"); } catch (const std::exception& e) { std::cout << "caught " << m["a"] << std::endl; } }\n' > src/plus.cpp
  cat > Makefile <<'MAKE'
OBJECTS := $(patsubst src/%.c,o/%.o,$(wildcard src/f*.c))
all: prog plus
o/%.o: src/%.c
	@mkdir -p o
	@gcc -O1 -fPIC -MMD -c $< -o $@
lib.a: $(OBJECTS)
	@ar rcD $@ $^
libs.so: $(OBJECTS)
	@gcc -shared -o $@ $^
prog: src/main.c lib.a libs.so
	@gcc -o $@ src/main.c lib.a
	@gcc -o shared src/main.c -L. -l:libs.so -Wl,-rpath,'$$ORIGIN'
	@gcc -static -o static src/main.c lib.a
plus: src/plus.cpp
	@g++ -O2 -g -o $@ $<
MAKE
  make -s -j2 2>&1 | grep -v jobserver; ./prog; ./shared; ./static; ./plus
  make -s -j2 && echo nothing to do; touch src/f3.c; make -s -j2; ./prog
  gcc -o bad -xc - <<< 'int main( {' 2>/dev/null; echo "compiler says $?"; ls bad 2>&1
  strip prog && ./prog; nm lib.a | grep -c ' T '; readelf -h static | grep Type; objdump -d lib.a | grep -c ret
  echo 'int main(void){ *(volatile int*)0 = 1; }' | gcc -xc - -o crash; (ulimit -c 0; ./crash; echo "crash $?") 2>/dev/null
}
