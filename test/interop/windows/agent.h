/*
 * The agent of a guest: what its portable half (agent.c) and a platform's half (on-windows.c, on-linux.c) know of each
 * other. docs/windows-vms.md describes the lines that it speaks.
 */
#include <stddef.h>

enum { MOST_WORDS = 16, LONGEST_LINE = 2048, LONGEST_ANSWER = 1600 };

/* The words of a request, each `name=value`. */
struct words {
    int count;
    const char *name[MOST_WORDS];
    const char *value[MOST_WORDS];
};

/* What is answered: words, ready to be sent. */
struct answer {
    int failed;
    size_t length;
    char text[LONGEST_ANSWER];
};

typedef void verb(const struct words *, struct answer *);

/* --- agent.c --- */

/* To be called twice a second at least while a request takes its time: else the host takes the guest for dead. */
void tend_line(void);
/* The value of a word, or `otherwise`. */
const char *word(const struct words *, const char *name, const char *otherwise);
/* A line of the settings file on the host's disk, or an empty string. */
const char *setting(const char *name);
/* Appends a word to the answer; a word for which there is no room is left out. */
void tell(struct answer *, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Answers that it could not be done, and why. */
void refuse(struct answer *, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The folder that the host's disk is seen in, with a separator at its end. */
extern const char *disk;

/* --- the platform --- */

/* Everything it has to do once, before anything else. */
void platform_start(void);
/* 0 on success. */
int line_open(const char *name);
/* Waits `millis` at most for bytes; answers how many came. */
int line_read(char *to, int room, int millis);
void line_write(const char *from, int length);
/* A clock that never goes back, in milliseconds. */
unsigned long now_millis(void);
/* What it is: system=, version=, name=. */
void tell_system(struct answer *);
/* Where `collect` puts what `read` then hands out in pieces. */
const char *collected_file(void);
verb do_configure, do_dial, do_status, do_ping, do_hangup, do_collect;
