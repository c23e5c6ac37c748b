// Intrusive doubly linked list: the links live in the elements, so linking never allocates, and an
// element can leave whatever list it is in without knowing which that is.
// Thread-safety: none.
#pragma once

#include "invariant.hpp"

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

// A first-in first-out list of T, which derives from ListHook. Owns nothing; elements that die
// while they are linked leave by themselves.
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

  // The oldest element, taken out; nullptr when there is none.
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
