// An intrusive doubly linked list. The links are in the elements, so linking never allocates, and
// an element can be unlinked without its list.
//
// Thread-safety: none.
#pragma once

#include "sys/invariant.hpp"

namespace echod {

class ListHook {
 public:
  ListHook() noexcept = default;
  ListHook(const ListHook&) = delete;
  ListHook& operator=(const ListHook&) = delete;
  ~ListHook() { unlink(); }

  [[nodiscard]] bool is_linked() const noexcept { return next_ != nullptr; }

  void unlink() noexcept {
    if (is_linked()) {
      previous_->next_ = next_;
      next_->previous_ = previous_;
      previous_ = next_ = nullptr;
    }
  }

 private:
  template <typename T>
  friend class IntrusiveList;

  ListHook* previous_ = nullptr;
  ListHook* next_ = nullptr;
};

// A first-in first-out list of T, which derives from ListHook. Owns nothing: the destructor of a
// linked element unlinks it, and the destructor of the list unlinks all elements.
template <typename T>
class IntrusiveList {
 public:
  IntrusiveList() noexcept { head_.previous_ = head_.next_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (pop_front() != nullptr) {
    }
    head_.previous_ = head_.next_ = nullptr;
  }

  [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }

  void push_back(T& element) noexcept {
    ListHook& hook = element;
    invariant(!hook.is_linked(), "an element is in one list at a time");
    hook.previous_ = head_.previous_;
    hook.next_ = &head_;
    head_.previous_->next_ = &hook;
    head_.previous_ = &hook;
  }

  // Removes and returns the oldest element; nullptr if the list is empty.
  T* pop_front() noexcept {
    if (empty()) {
      return nullptr;
    }
    ListHook* const hook = head_.next_;
    hook->unlink();
    return static_cast<T*>(hook);
  }

  // Moves all elements of `other` to the end of this list.
  void append_all(IntrusiveList& other) noexcept {
    if (other.empty()) {
      return;
    }
    ListHook* const first = other.head_.next_;
    ListHook* const last = other.head_.previous_;
    other.head_.previous_ = other.head_.next_ = &other.head_;
    first->previous_ = head_.previous_;
    last->next_ = &head_;
    head_.previous_->next_ = first;
    head_.previous_ = last;
  }

 private:
  ListHook head_;
};

}  // namespace echod
