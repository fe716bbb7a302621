// Objects for a script that walks values: children, pointers to follow, raw bytes, base classes.
#include "program.h"

#include <cstdint>

struct Colour {
    std::uint8_t red, green, blue;
};

struct Named {
    const char *first_name;
    const char *last_name;
    virtual ~Named() = default;
};

struct Person : Named {
    std::uint64_t tag = 0x1122334455667788;
    Colour eyes{150, 75, 0};
    int scores[4] = {10, 20, 30, 40};
    Person *next = nullptr;
};

Person *list;

int sum(const Person &person)
{
    int total = 0;
    for (int score : person.scores)
        total += score;
    return total;
}

void walk(Person *head)
{
    say("walk %d\n", sum(*head));
}

int main()
{
    static Person second, first;
    first.first_name = "Derek";
    first.last_name = "Selander";
    first.next = &second;
    second.first_name = "Ada";
    second.last_name = "Lovelace";
    list = &first;
    ready();
    walk(list);
    return 0;
}
