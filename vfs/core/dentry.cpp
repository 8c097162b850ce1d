// Dentry: the cache of names.
#include "vfs/core/dentry.h"

namespace sandbox::vfs {

DentryPtr Dentry::find_child(std::string_view name) const {
  std::lock_guard lock(children_lock_);
  auto found = children_.find(name);
  return found == children_.end() ? nullptr : found->second;
}

DentryPtr Dentry::add_child(DentryPtr child) {
  std::lock_guard lock(children_lock_);
  auto [place, is_new] = children_.try_emplace(child->name(), child);
  return place->second;
}

void Dentry::forget_child(std::string_view name) {
  std::lock_guard lock(children_lock_);
  auto found = children_.find(name);
  if (found != children_.end() && !found->second->is_pinned) children_.erase(found);
}

void Dentry::delete_child(std::string_view name) {
  std::lock_guard lock(children_lock_);
  auto found = children_.find(name);
  if (found == children_.end()) return;
  found->second->mark_deleted();
  children_.erase(found);
}

void Dentry::mark_deleted() { is_deleted_.store(true, std::memory_order_relaxed); }

void Dentry::move_to(const DentryPtr& new_parent, std::string new_name) {
  auto self = shared_from_this();
  {
    std::lock_guard lock(parent_->children_lock_);
    parent_->children_.erase(name_);
  }
  parent_ = new_parent;
  name_ = std::move(new_name);
  std::lock_guard lock(new_parent->children_lock_);
  new_parent->children_.insert_or_assign(name_, std::move(self));
}

size_t Dentry::prune() {
  size_t gone = 0;
  std::lock_guard lock(children_lock_);
  for (auto child = children_.begin(); child != children_.end();) {
    gone += child->second->prune();
    bool is_in_use = child->second.use_count() > 1 || child->second->is_pinned ||
                     child->second->mounts_here.load() > 0 || !child->second->children_.empty();
    if (is_in_use) {
      ++child;
    } else {
      child = children_.erase(child);
      ++gone;
    }
  }
  return gone;
}

void Dentry::drop_children() {
  std::map<std::string, DentryPtr, std::less<>> going;
  {
    std::lock_guard lock(children_lock_);
    going.swap(children_);
  }
  for (const auto& [name, child] : going) child->drop_children();
}

bool is_ancestor(const Dentry& ancestor, const Dentry& at) {
  for (const Dentry* up = &at; up != nullptr; up = up->parent().get())
    if (up == &ancestor) return true;
  return false;
}

std::vector<DentryPtr> Dentry::pinned_children() const {
  std::lock_guard lock(children_lock_);
  std::vector<DentryPtr> pinned;
  for (const auto& [name, child] : children_)
    if (child->is_pinned) pinned.push_back(child);
  return pinned;
}

}  // namespace sandbox::vfs
