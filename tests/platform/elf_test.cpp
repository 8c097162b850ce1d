// read_elf on good files, on every truncation of one, and on damaged headers.
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <random>
#include <string>

#include "platform/exec_image.h"
#include "platform/exec_plan.h"

using namespace sandbox;
using namespace sandbox::platform;

namespace {

constexpr uint64_t kTaskSize = 0x7ffffffff000;

UniqueFd file_of(const std::string& bytes) {
  UniqueFd file(memfd_create("elf", MFD_CLOEXEC));
  REQUIRE(write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return file;
}

// A fixed-address program of one page and a bss, headers only: nothing here is ever run.
struct Sample {
  Elf64_Ehdr header{};
  Elf64_Phdr load{}, interpreter{}, stack{};
  char name[16] = "/lib/ld.so";

  Sample() {
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_entry = 0x400100;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 3;
    load = {PT_LOAD, PF_R | PF_X, 0, 0x400000, 0x400000, 0x300, 0x2300, 0x1000};
    interpreter = {PT_INTERP, PF_R, offsetof(Sample, name), 0, 0, 11, 11, 1};
    stack = {PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16};
  }
  std::string bytes() const { return std::string(reinterpret_cast<const char*>(this), sizeof *this); }
};

int error_of(const Result<ElfObject>& result) { return result ? 0 : result.error().value(); }
int error_of(const Sample& sample, ElfRole role = ElfRole::kProgram) {
  return error_of(read_elf(file_of(sample.bytes()), role));
}

}  // namespace

TEST_CASE("a program's headers are read as they are") {
  Sample sample;
  auto object = read_elf(file_of(sample.bytes()), ElfRole::kProgram);
  REQUIRE(object);
  CHECK(object->placement == ElfObject::Placement::kFixed);
  CHECK(object->first_vaddr == 0x400000);
  CHECK(object->span == 0x3000);
  CHECK(object->entry_vaddr == 0x400100);
  CHECK(object->phdr_vaddr == 0x400000 + sizeof(Elf64_Ehdr));
  CHECK(object->phdr_count == 3);
  CHECK(object->interpreter == "/lib/ld.so");
  CHECK_FALSE(object->wants_executable_stack);
}

TEST_CASE("the errors are those of fs/binfmt_elf.c") {
  Sample sample;
  SECTION("no ELF") {
    sample.header.e_ident[1] = 'X';
    CHECK(error_of(sample) == ENOEXEC);
    CHECK(error_of(sample, ElfRole::kInterpreter) == ELIBBAD);
  }
  SECTION("an object file") {
    sample.header.e_type = ET_REL;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("a foreign machine") {
    sample.header.e_machine = EM_AARCH64;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("no program headers") {
    sample.header.e_phnum = 0;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("absurdly many") {
    sample.header.e_phnum = 60000;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("of a wrong size") {
    sample.header.e_phentsize = 32;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("out of the file") {
    sample.header.e_phoff = ~uint64_t{0} - 10;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("nothing to load") {
    sample.load.p_type = PT_NULL;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("more in the file than in memory") {
    sample.load.p_memsz = 1;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("beyond the address space") {
    sample.load.p_vaddr = kTaskSize - 0x1000;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("an address that overflows") {
    sample.load.p_vaddr = ~uint64_t{0} & ~0xfff;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("address and offset that no page fits") {
    sample.load.p_offset = 8;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("an entry in the kernel's half") {
    sample.header.e_entry = kTaskSize;
    CHECK(error_of(sample) == EINVAL);
  }
  SECTION("an alignment without end") {
    sample.load.p_align = uint64_t{1} << 50;
    CHECK(error_of(sample) == ENOMEM);
  }
  SECTION("an interpreter's name without end") {
    sample.name[10] = 'x';
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("an interpreter's name that is no name") {
    sample.interpreter.p_filesz = 1;
    CHECK(error_of(sample) == ENOEXEC);
  }
  SECTION("an interpreter's name out of the file") {
    sample.interpreter.p_offset = 1 << 20;
    CHECK(error_of(sample) == EIO);
  }
}

TEST_CASE("no truncation of a program is a program") {
  std::string bytes = Sample().bytes();
  for (size_t size = 0; size < offsetof(Sample, name) + 11; ++size) {
    INFO("size " << size);
    CHECK_FALSE(read_elf(file_of(bytes.substr(0, size)), ElfRole::kProgram));
  }
}

TEST_CASE("whatever is accepted has sound numbers") {
  std::mt19937_64 random(7);
  const std::string good = Sample().bytes();
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = good;
    for (int changes = 1 + random() % 3; changes > 0; --changes) bytes[random() % bytes.size()] = random();
    auto object = read_elf(file_of(bytes), ElfRole::kProgram);
    if (!object) continue;
    ++accepted;
    REQUIRE(object->span <= kTaskSize);
    REQUIRE(object->first_vaddr % 4096 == 0);
    REQUIRE(object->first_vaddr + object->span <= kTaskSize + 4096);
    for (const ElfSegment& segment : object->segments) {
      REQUIRE(segment.file_size <= segment.memory_size);
      REQUIRE(segment.vaddr >= object->first_vaddr);
      REQUIRE(segment.vaddr + segment.memory_size <= object->first_vaddr + object->span);
    }
    ExecImage image{std::move(*object), {}, {"/bin/sh", "script"}, "/script", "script"};
    auto plan = build_exec_plan(image, {3, -1}, {});
    REQUIRE(plan);
    REQUIRE(plan->size() <= kLoaderPlanCapacity);
  }
  CHECK(accepted > 100);
}

TEST_CASE("this machine's own programs are accepted") {
  for (const char* path : {"/bin/sh", "/bin/ls", "/lib64/ld-linux-x86-64.so.2"}) {
    auto object = read_elf(UniqueFd(open(path, O_RDONLY | O_CLOEXEC)), ElfRole::kInterpreter);
    INFO(path);
    REQUIRE(object);
    CHECK(object->placement == ElfObject::Placement::kAnywhere);
  }
}
