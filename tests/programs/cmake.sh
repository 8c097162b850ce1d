# cmake with make: configures and builds a small C++ project.
needs cmake g++ make
leaves_nothing_to_compare() { :; }
workload() {
  mkdir -p p; cd p
  printf 'cmake_minimum_required(VERSION 3.16)\nproject(p CXX)\nadd_library(l l.cpp)\nadd_executable(m m.cpp)\ntarget_link_libraries(m l)\nenable_testing()\nadd_test(NAME t COMMAND m)\ninstall(TARGETS m)\n' > CMakeLists.txt
  echo 'int l() { return 42; }' > l.cpp; printf '#include <iostream>\nint l();\nint main() { std::cout << l() << std::endl; }\n' > m.cpp
  cmake -S . -B b -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$PWD/i" -G 'Unix Makefiles' 2>&1 | grep -E 'compiler|Build files' | sed 's|: /.*||'
  cmake --build b -j2 2>&1 | grep -E 'Built|Linking'| sort; b/m; (cd b && ctest 2>&1 | grep 'tests passed'); cmake --install b >/dev/null && i/bin/m
  cmake --build b 2>&1 | grep -c Built
}
