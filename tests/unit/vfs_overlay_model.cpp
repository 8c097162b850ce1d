// Random changes made to an overlay and to a plain copy of its lower must give the same answers and the same
// tree.
#include <linux/fs.h>

#include <map>
#include <random>

#include "inode_helpers.h"
#include "scratch_directory.h"
#include "vfs/hostfs/host_directory.h"
#include "vfs/hostfs/hostfs.h"
#include "vfs/overlayfs/overlayfs.h"

using namespace sandbox;
using namespace sandbox::test;

namespace {

// Keeps directory nodes as the dentry cache does, so that they live through copy-up and rename.
class Tree {
 public:
  explicit Tree(std::shared_ptr<Filesystem> filesystem) : filesystem_(std::move(filesystem)) {
    directories_[""] = filesystem_->root();
  }

  InodePtr directory(const std::string& path) {
    auto known = directories_.find(path);
    if (known != directories_.end()) return known->second;
    InodePtr node = find(path);
    if (node == nullptr || !node->is_directory()) return nullptr;
    return directories_[path] = node;
  }
  InodePtr find(const std::string& path) {
    auto known = directories_.find(path);
    if (known != directories_.end()) return known->second;
    InodePtr above = directory(parent_of(path));
    if (above == nullptr) return nullptr;
    auto found = above->lookup(name_of(path));
    return found ? *found : nullptr;
  }
  void forget(const std::string& path) {
    std::erase_if(directories_, [&](const auto& entry) { return is_at_or_below(entry.first, path); });
  }
  void move(const std::string& from, const std::string& to) {
    std::map<std::string, InodePtr> moved;
    for (auto& [path, inode] : directories_) {
      if (is_at_or_below(path, from)) moved[to + path.substr(from.size())] = inode;
    }
    forget(from);
    forget(to);
    directories_.merge(moved);
  }
  std::string describe(const std::string& path = "") {
    std::string text;
    InodePtr at = directory(path);
    for (const std::string& name : names(at)) {
      InodePtr child = must(at->lookup(name));
      Attributes attributes = must(child->getattr());
      text += path + "/" + name + " " + std::to_string(attributes.stx_mode) + " ";
      if (child->is_regular()) text += std::to_string(attributes.stx_size) + content(child);
      if (child->is_symlink()) text += must(child->readlink(caller()));
      text += "\n";
      if (child->is_directory()) text += describe(path + "/" + name);
    }
    return text;
  }

  static std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }
  static std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }
  static bool is_at_or_below(const std::string& path, const std::string& top) {
    return path == top || path.starts_with(top + "/");
  }

 private:
  std::shared_ptr<Filesystem> filesystem_;
  std::map<std::string, InodePtr> directories_;
};

struct Step {
  int kind;
  std::string path, other;
  unsigned flags;
};

Step random_step(std::mt19937& random) {
  auto random_path = [&] {
    std::string path;
    for (size_t depth = 1 + random() % 3; depth > 0; --depth)
      path += "/" + std::string(1, "abcd"[random() % 4]);
    return path;
  };
  unsigned flags = random() % 4 == 0 ? RENAME_EXCHANGE : random() % 4 == 0 ? RENAME_NOREPLACE : 0;
  return {static_cast<int>(random() % 9), random_path(), random_path(), flags};
}

// What the Vfs does for a rename that gave EXDEV.
void make_whole(Tree& tree, const std::string& path) {
  InodePtr top = tree.find(path);
  if (top->is_whole()) return;
  if (top->is_directory())
    for (const std::string& name : names(top)) make_whole(tree, path + "/" + name);
  must(top->make_whole());
}

int rename_in(Tree& tree, const Step& step) {
  InodePtr from = tree.directory(Tree::parent_of(step.path)),
           to = tree.directory(Tree::parent_of(step.other));
  InodePtr moved = tree.find(step.path);
  if (from == nullptr || to == nullptr || moved == nullptr) return ENOENT;
  if (Tree::is_at_or_below(step.other, step.path) || Tree::is_at_or_below(step.path, step.other))
    return EINVAL;
  InodePtr replaced = tree.find(step.other);
  if ((step.flags & RENAME_EXCHANGE) && replaced == nullptr) return ENOENT;
  if ((step.flags & RENAME_NOREPLACE) && replaced != nullptr) return EEXIST;
  bool is_mismatch = replaced != nullptr && replaced->is_directory() != moved->is_directory();
  if (is_mismatch && !(step.flags & RENAME_EXCHANGE)) return EISDIR;
  auto rename = [&] {
    return from->rename(Tree::name_of(step.path), moved, to, Tree::name_of(step.other), replaced, step.flags);
  };
  auto renamed = rename();
  if (error_of(renamed) == EXDEV) {
    make_whole(tree, step.path);
    if (step.flags & RENAME_EXCHANGE) make_whole(tree, step.other);
    renamed = rename();
  }
  if (!renamed) return error_of(renamed);
  if (step.flags & RENAME_EXCHANGE) {
    tree.move(step.path, "/swap");
    tree.move(step.other, step.path);
    tree.move("/swap", step.other);
  } else {
    tree.move(step.path, step.other);
  }
  return 0;
}

int run(Tree& tree, const Step& step) {
  InodePtr above = tree.directory(Tree::parent_of(step.path));
  std::string name = Tree::name_of(step.path);
  if (above == nullptr) return ENOENT;
  InodePtr there = tree.find(step.path);
  switch (step.kind) {
    case 0:
    case 1: {
      if (there != nullptr) return EEXIST;
      return error_of(above->create(name, node(step.kind == 0 ? S_IFDIR | 0755 : S_IFREG | 0644)));
    }
    case 2:
      if (there == nullptr || there->is_directory()) return EISDIR;
      return error_of(above->unlink(name, there));
    case 3: {
      if (there == nullptr || !there->is_directory()) return ENOTDIR;
      auto removed = above->rmdir(name, there);
      if (removed) tree.forget(step.path);
      return error_of(removed);
    }
    case 4: {
      if (there == nullptr || !there->is_regular()) return ENOENT;
      auto file = there->open(caller(), O_WRONLY | O_APPEND);
      if (!file) return error_of(file);
      return write(file->get(), "+", 1) == 1 ? 0 : errno;
    }
    case 5:
      return there == nullptr ? ENOENT : error_of(there->setattr({.mode = 0700u | (step.path.back() & 077)}));
    case 6: {
      InodePtr source = tree.find(step.other);
      if (source == nullptr || source->is_directory()) return EPERM;
      return there != nullptr ? EEXIST : error_of(above->link(name, source));
    }
    case 7: {
      NewNode link = node(S_IFLNK | 0777);
      link.symlink_target = step.other;
      return there != nullptr ? EEXIST : error_of(above->create(name, link));
    }
    default:
      return rename_in(tree, step);
  }
}

void fill(const ScratchDirectory& scratch, const std::string& top, std::mt19937 random) {
  scratch.make_directory(top);
  for (int i = 0; i < 30; ++i) {
    Step step = random_step(random);
    std::error_code ignored;
    if (step.kind % 2) {
      std::filesystem::create_directories(scratch / top + step.path, ignored);
    } else {
      scratch.write(top + step.path, step.other);
    }
  }
}

}  // namespace

TEST_CASE("an overlay behaves as a plain directory does") {
  umask(022);
  for (unsigned seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    ScratchDirectory scratch;
    std::mt19937 random(seed);
    fill(scratch, "lower", random);
    fill(scratch, "plain", random);
    scratch.make_directory("top");
    if (seed % 3 == 0) HostDirectory::set_descriptor_limit(1);
    OverlayOptions options{.policy = CachePolicy::kTrust};
    options.upper = scratch.open("top");
    options.lowers.push_back(scratch.open("lower"));
    Tree overlay(must(create_overlayfs(std::move(options))));
    Tree plain(must(create_hostfs({.root = scratch.open("plain"), .policy = CachePolicy::kTrust})));
    std::string before = overlay.describe();
    REQUIRE(before == plain.describe());
    for (int i = 0; i < 300; ++i) {
      Step step = random_step(random);
      INFO("step " << i << " kind " << step.kind << " " << step.path << " " << step.other << " "
                   << step.flags);
      int answer = run(overlay, step);
      REQUIRE(answer == run(plain, step));
      REQUIRE(overlay.describe() == plain.describe());
    }
    HostDirectory::set_descriptor_limit(4096);
  }
}

TEST_CASE("the upper says all there is to say") {
  ScratchDirectory scratch;
  std::mt19937 random(77);
  fill(scratch, "lower", random);
  scratch.make_directory("top");
  auto mounted = [&] {
    OverlayOptions options{.policy = CachePolicy::kTrust};
    options.upper = scratch.open("top");
    options.lowers.push_back(scratch.open("lower"));
    return Tree(must(create_overlayfs(std::move(options))));
  };
  std::string last;
  for (int round = 0; round < 20; ++round) {
    Tree tree = mounted();
    if (round > 0) REQUIRE(tree.describe() == last);
    for (int i = 0; i < 40; ++i) run(tree, random_step(random));
    last = tree.describe();
  }
}
