/* A program of somebody else's: it uses weft by its headers and its library, and nothing more. */
#include <stdio.h>
#include <string.h>

#include <weft.h>

static int nap(void *arg) { return weft_sleep(weft_ms(*(int *)arg)); }

static int program(void *arg)
{
    (void)arg;
    return weft_gather(weft_spawn_val(nap, 1), weft_spawn_val(nap, 2));
}

int main(void)
{
    int rc = weft_run(program, NULL);

    printf("weft %s: %s\n", weft_version(), weft_strerror(rc));
    return rc != 0 || strcmp(weft_version(), WEFT_VERSION) != 0;
}
