/*
 * script - one execution as a string, to be written and read; its form stands in schedule.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/run.h"

#define STEPS   4096
#define CHOICES 1024

static uint8_t threads[STEPS];
static unsigned step_count;
static struct {
    unsigned step;
    char kind;
    uint8_t taken;
    bool is_used;
} choices[CHOICES];
static unsigned choice_count;
static bool is_on;

bool script_is_on(void) { return is_on; }

/* Parses "0x5.1x3/7r1.9c2". */
bool script_read(const char *text)
{
    char *end;

    is_on = true;
    while (*text && *text != '/') {
        unsigned long thread = strtoul(text, &end, 10), times;

        if (*end != 'x' || thread >= MODEL_THREADS)
            return false;
        times = strtoul(end + 1, &end, 10);
        while (times-- > 0 && step_count < STEPS)
            threads[step_count++] = (uint8_t)thread;
        text = *end == '.' ? end + 1 : end;
    }
    text += *text == '/';
    while (*text && choice_count < CHOICES) {
        choices[choice_count].step = (unsigned)strtoul(text, &end, 10);
        if (*end != 'r' && *end != 'c')
            return false;
        choices[choice_count].kind = *end;
        choices[choice_count++].taken = (uint8_t)strtoul(end + 1, &end, 10);
        if (*end && *end != '.')
            return false;
        text = *end ? end + 1 : end;
    }
    return true;
}

unsigned script_thread(unsigned step) { return step < step_count ? threads[step] : MODEL_THREADS; }

unsigned script_choice(unsigned step, char kind)
{
    for (unsigned i = 0; i < choice_count; i++)
        if (!choices[i].is_used && choices[i].step == step && choices[i].kind == kind) {
            choices[i].is_used = true;
            return choices[i].taken;
        }
    return 0;
}

void script_begin(void)
{
    if (!is_on)
        step_count = choice_count = 0;
}

void script_note_step(unsigned thread)
{
    if (!is_on && step_count < STEPS)
        threads[step_count++] = (uint8_t)thread;
}

void script_note_choice(unsigned step, char kind, unsigned taken)
{
    if (!is_on && choice_count < CHOICES) {
        choices[choice_count].step = step;
        choices[choice_count].kind = kind;
        choices[choice_count++].taken = (uint8_t)taken;
    }
}

const char *script_string(void)
{
    static char text[STEPS * 4];
    size_t used = 0;

    for (unsigned i = 0, same; i < step_count && used < sizeof text - 64; i += same) {
        for (same = 1; i + same < step_count && threads[i + same] == threads[i]; same++)
            ;
        used += (size_t)sprintf(text + used, "%s%ux%u", i ? "." : "", threads[i], same);
    }
    for (unsigned i = 0; i < choice_count && used < sizeof text - 64; i++)
        used += (size_t)sprintf(text + used, "%c%u%c%u", i ? '.' : '/', choices[i].step,
                                choices[i].kind, choices[i].taken);
    text[used] = 0;
    return text;
}
