/* Objective-C: look(person) is called with a person whose parts are strings, a number and a colour. */
#include <objc/Object.h>
#include <objc/runtime.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct { unsigned char red, green, blue; } Colour;

@interface Person : Object {
@public
    const char *first_name;
    const char *last_name;
    int age;
    Colour eyes;
    Person *friend;
}
- (int) grow: (int) years;
@end

@implementation Person
- (int) grow: (int) years
{
    age += years;
    return age;
}
@end

static Person *make(const char *first, const char *last, int age)
{
    Person *person = class_createInstance(objc_getClass("Person"), 0);
    person->first_name = first;
    person->last_name = last;
    person->age = age;
    person->eyes = (Colour){150, 75, 0};
    return person;
}

void look(Person *person)
{
    printf("%s %s is %d\n", person->first_name, person->last_name, [person grow: 1]);
}

int main(void)
{
    Person *person = make("Derek", "Selander", 41);
    person->friend = make("Ada", "Lovelace", 36);
    puts("ready");
    look(person);
    return 0;
}
