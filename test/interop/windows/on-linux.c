/*
 * The agent's platform on Linux, for a guest that plays Windows: each verb is a command of the script beside this file,
 * which answers lines of `name value`.
 */
#include "agent.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static int line = -1;

void platform_start(void) {}

int line_open(const char *name)
{
    /* fd:3 is a descriptor that whoever started the agent gave it: a test. */
    line = strncmp(name, "fd:", 3) == 0 ? atoi(name + 3) : open(name, O_RDWR | O_NOCTTY);
    struct termios how;
    if (line >= 0 && tcgetattr(line, &how) == 0) {
        cfmakeraw(&how);
        how.c_cflag |= CLOCAL;
        cfsetspeed(&how, B115200);
        tcsetattr(line, TCSANOW, &how);
    }
    return line < 0;
}

int line_read(char *to, int room, int millis)
{
    struct pollfd wait = {line, POLLIN, 0};
    if (poll(&wait, 1, millis < 0 ? 0 : millis) <= 0) return 0;
    return (int)read(line, to, (size_t)room);
}

void line_write(const char *from, int length)
{
    while (length > 0) {
        ssize_t sent = write(line, from, (size_t)length);
        if (sent <= 0) return;
        from += sent;
        length -= (int)sent;
    }
}

unsigned long now_millis(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

void tell_system(struct answer *a)
{
    const char *version = getenv("FG_PRETEND");
    char name[64] = "";
    gethostname(name, sizeof name - 1);
    tell(a, "system", "linux");
    tell(a, "version", "%s", version ? version : "0.0.0");
    tell(a, "name", "%s", name);
}

const char *collected_file(void) { return "/run/vpn/collected"; }

/* Runs the script and tends the line until it ends. */
static void play(struct answer *a, const char *what, const char *values[], int count)
{
    static char output[4096];
    const char *script = getenv("FG_GUEST"); /* A test has another. */
    int ends[2];
    if (pipe(ends) != 0) { refuse(a, "no pipe"); return; }
    pid_t child = fork();
    if (child == 0) {
        char *argv[12] = {"bash", (char *)(script ? script : "/floatgate/windows-guest"), (char *)what};
        for (int i = 0; i < count; i++) argv[3 + i] = (char *)values[i];
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        close(line);
        execv("/bin/bash", argv);
        _exit(127);
    }
    close(ends[1]);
    size_t length = 0;
    for (;;) {
        tend_line();
        struct pollfd wait = {ends[0], POLLIN, 0};
        if (poll(&wait, 1, 250) <= 0) continue;
        ssize_t got = read(ends[0], output + length, sizeof output - 1 - length);
        if (got <= 0) break;
        length += (size_t)got;
    }
    close(ends[0]);
    output[length] = 0;
    int status;
    waitpid(child, &status, 0);
    for (char *text = strtok(output, "\n"); text; text = strtok(NULL, "\n")) {
        char *space = strchr(text, ' ');
        if (!space) continue;
        *space = 0;
        tell(a, text, "%s", space + 1);
    }
    if (status != 0) refuse(a, "%s ended with status %d", what, status);
}

#define PLAY(what, ...)                                            \
    const char *values[] = {__VA_ARGS__};                          \
    play(a, what, values, (int)(sizeof values / sizeof *values))

void do_configure(const struct words *w, struct answer *a)
{
    PLAY("configure", setting("server"), word(w, "psk", setting("psk")), disk);
}
void do_dial(const struct words *w, struct answer *a) { PLAY("dial", word(w, "user", ""), word(w, "password", "")); }
void do_ping(const struct words *w, struct answer *a)
{
    PLAY("ping", word(w, "host", ""), word(w, "count", "4"), word(w, "bytes", "32"), word(w, "whole", "no"));
}
void do_collect(const struct words *w, struct answer *a) { PLAY("collect", word(w, "what", "")); }
void do_status(const struct words *w, struct answer *a)
{
    (void)w;
    PLAY("status", "");
}
void do_hangup(const struct words *w, struct answer *a)
{
    (void)w;
    PLAY("hangup", "");
}
