#include "loop/list_hook.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace echod::test {
namespace {

struct Item : ListHook {
  explicit Item(char which) : name(which) {}
  char name;
};

// Empties the list.
std::string names(IntrusiveList<Item>& list) {
  std::string text;
  while (const Item* const item = list.pop_front()) {
    text += item->name;
  }
  return text;
}

class ListHookTest : public testing::Test {
 protected:
  void push_all() {
    for (Item* const item : {&a_, &b_, &c_}) {
      list_.push_back(*item);
    }
  }

  Item a_{'a'};
  Item b_{'b'};
  Item c_{'c'};
  IntrusiveList<Item> list_;
};

TEST_F(ListHookTest, IsFirstInFirstOut) {
  EXPECT_TRUE(list_.empty());
  EXPECT_EQ(list_.pop_front(), nullptr);
  push_all();
  EXPECT_FALSE(list_.empty());
  EXPECT_EQ(names(list_), "abc");
  EXPECT_TRUE(list_.empty());
}

TEST_F(ListHookTest, AnElementKnowsWhetherItIsInAList) {
  EXPECT_FALSE(a_.is_linked());
  list_.push_back(a_);
  EXPECT_TRUE(a_.is_linked());
  (void)list_.pop_front();
  EXPECT_FALSE(a_.is_linked());
}

TEST_F(ListHookTest, AnElementCanBeUnlinkedFromAnyPosition) {
  push_all();
  b_.unlink();
  b_.unlink();  // The second call has no effect.
  EXPECT_EQ(names(list_), "ac");
  push_all();
  a_.unlink();
  c_.unlink();
  EXPECT_EQ(names(list_), "b");
}

TEST_F(ListHookTest, ADestroyedElementIsUnlinked) {
  {
    Item mortal('m');
    list_.push_back(a_);
    list_.push_back(mortal);
    list_.push_back(b_);
  }
  EXPECT_EQ(names(list_), "ab");
}

TEST_F(ListHookTest, AnUnlinkedElementCanBeAddedAgain) {
  push_all();
  a_.unlink();
  list_.push_back(a_);
  EXPECT_EQ(names(list_), "bca");
}

TEST_F(ListHookTest, AppendAllMovesAllElementsToTheTail) {
  IntrusiveList<Item> other;
  list_.push_back(a_);
  other.push_back(b_);
  other.push_back(c_);
  list_.append_all(other);
  EXPECT_TRUE(other.empty());
  list_.append_all(other);  // An empty list.
  c_.unlink();              // From the list it was moved to.
  EXPECT_EQ(names(list_), "ab");
}

TEST_F(ListHookTest, ADestroyedListUnlinksItsElements) {
  {
    IntrusiveList<Item> mortal;
    mortal.push_back(a_);
    mortal.push_back(b_);
  }
  EXPECT_FALSE(a_.is_linked());
  list_.push_back(a_);
  EXPECT_EQ(names(list_), "a");
}

TEST_F(ListHookTest, AnElementIsInOneListAtATime) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  list_.push_back(a_);
  EXPECT_DEATH(list_.push_back(a_), "invariant violated: an element is in one list at a time");
}

}  // namespace
}  // namespace echod::test
