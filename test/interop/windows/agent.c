/*
 * The agent of a guest, the half that every system shares: its lines, its requests, and the download.
 *
 *   agent PORT FOLDER      PORT is the serial port, FOLDER where the host's disk is seen
 */
#include "agent.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _WIN32
#include <winsock2.h>
#else
#include <arpa/inet.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
#define closesocket close
#endif

static const char protocol[] = "FG1";
enum { HELLO_MILLIS = 2000, DOWNLOAD_SILENCE_MILLIS = 20000, PIECE = 384, MOST_SETTINGS = 32 };

const char *disk = "";

/* --- CRC-32, as ISO 3309 has it --- */

static unsigned crc32_more(unsigned crc, const unsigned char *bytes, size_t length)
{
    crc = ~crc;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* --- words --- */

static int is_plain(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("._:/\\,()-", c) != NULL;
}

/* Replaces %41 by A, in place. */
static void unescape(char *text)
{
    char *to = text;
    for (; *text; text++) {
        unsigned code;
        if (*text == '%' && sscanf(text + 1, "%2x", &code) == 1) {
            *to++ = (char)code;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = 0;
}

static void tell_bytes(struct answer *a, const char *name, const unsigned char *bytes, size_t length)
{
    size_t start = a->length;
    size_t room = sizeof a->text - 1;
    size_t at = start + (size_t)snprintf(a->text + start, room - start, " %s=", name);
    for (size_t i = 0; i < length && at + 3 < room; i++) {
        if (bytes[i] != 0 && is_plain(bytes[i])) a->text[at++] = (char)bytes[i];
        else at += (size_t)snprintf(a->text + at, room - at, "%%%02x", bytes[i]);
    }
    if (at + 3 >= room) at = start; /* No room for all of it. */
    a->text[at] = 0;
    a->length = at;
}

void tell(struct answer *a, const char *name, const char *format, ...)
{
    char value[512];
    va_list list;
    va_start(list, format);
    vsnprintf(value, sizeof value, format, list);
    va_end(list);
    tell_bytes(a, name, (const unsigned char *)value, strlen(value));
}

void refuse(struct answer *a, const char *format, ...)
{
    char why[512];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    a->failed = 1;
    tell(a, "why", "%s", why);
}

const char *word(const struct words *w, const char *name, const char *otherwise)
{
    for (int i = 0; i < w->count; i++)
        if (strcmp(w->name[i], name) == 0) return w->value[i];
    return otherwise;
}

/* --- settings --- */

static char settings_text[8192];
static struct { const char *name, *value; } settings[MOST_SETTINGS];

static void read_settings(void)
{
    char path[512];
    snprintf(path, sizeof path, "%sSETTINGS.INI", disk);
    FILE *file = fopen(path, "rb");
    if (!file) return;
    size_t length = fread(settings_text, 1, sizeof settings_text - 1, file);
    fclose(file);
    settings_text[length] = 0;
    int count = 0;
    for (char *line = strtok(settings_text, "\r\n"); line && count < MOST_SETTINGS; line = strtok(NULL, "\r\n")) {
        char *equals = strchr(line, '=');
        if (!equals) continue;
        *equals = 0;
        settings[count].name = line;
        settings[count].value = equals + 1;
        count++;
    }
}

const char *setting(const char *name)
{
    for (int i = 0; i < MOST_SETTINGS && settings[i].name; i++)
        if (strcmp(settings[i].name, name) == 0) return settings[i].value;
    return "";
}

/* --- verbs that need no platform --- */

/* Fetches http://host/path and answers how many bytes came, their CRC-32, and how long it took. */
static void do_download(const struct words *w, struct answer *a)
{
    const char *host = word(w, "host", ""), *path = word(w, "path", "/");
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET;
    to.sin_port = htons((unsigned short)atoi(word(w, "port", "80")));
    to.sin_addr.s_addr = inet_addr(host);
    unsigned long begin = now_millis(), heard = begin;
    int s = (int)socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0) { refuse(a, "no socket"); return; }
    char request[512];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, host);
    if (connect(s, (struct sockaddr *)&to, sizeof to) != 0 || send(s, request, length, 0) != length) {
        refuse(a, "%s does not take the connection", host);
        closesocket(s);
        return;
    }
    static unsigned char buffer[16384];
    unsigned long total = 0;
    unsigned crc = 0;
    char head[2048];
    size_t head_length = 0;
    int in_body = 0, ended = 0;
    while (!ended && now_millis() - heard < DOWNLOAD_SILENCE_MILLIS) {
        tend_line();
        fd_set set;
        struct timeval wait = {0, 250000};
        FD_ZERO(&set);
        FD_SET((unsigned)s, &set);
        if (select(s + 1, &set, NULL, NULL, &wait) <= 0) continue;
        int got = recv(s, (char *)buffer, sizeof buffer, 0);
        ended = got <= 0;
        if (ended) break;
        heard = now_millis();
        const unsigned char *body = buffer;
        size_t body_length = (size_t)got;
        if (!in_body) {
            size_t more = sizeof head - 1 - head_length;
            if (more > body_length) more = body_length;
            memcpy(head + head_length, buffer, more);
            size_t before = head_length;
            head_length += more;
            head[head_length] = 0;
            const char *end = strstr(head, "\r\n\r\n");
            if (!end) continue;
            in_body = 1;
            size_t skip = (size_t)(end + 4 - head) - before;
            body += skip;
            body_length -= skip;
        }
        crc = crc32_more(crc, body, body_length);
        total += (unsigned long)body_length;
    }
    closesocket(s);
    if (!ended) refuse(a, "nothing more came for %d s", DOWNLOAD_SILENCE_MILLIS / 1000);
    int status = 0;
    sscanf(head, "HTTP/%*s %d", &status);
    tell(a, "status", "%d", status);
    tell(a, "bytes", "%lu", total);
    tell(a, "crc", "%08x", crc);
    tell(a, "millis", "%lu", now_millis() - begin);
}

/* Hands out a piece of what was collected. */
static void do_read(const struct words *w, struct answer *a)
{
    static unsigned char piece[PIECE];
    FILE *file = fopen(collected_file(), "rb");
    if (!file) { refuse(a, "nothing was collected"); return; }
    fseek(file, 0, SEEK_END);
    tell(a, "size", "%ld", ftell(file));
    fseek(file, atol(word(w, "offset", "0")), SEEK_SET);
    size_t length = fread(piece, 1, sizeof piece, file);
    fclose(file);
    tell_bytes(a, "data", piece, length);
}

static void do_hello(const struct words *w, struct answer *a)
{
    (void)w;
    tell_system(a);
    tell(a, "disk", "%s", *setting("entry") ? "read" : "unread");
}

static const struct { const char *name; verb *call; } verbs[] = {
    {"hello", do_hello},   {"configure", do_configure}, {"dial", do_dial},       {"status", do_status}, {"ping", do_ping},
    {"hangup", do_hangup}, {"collect", do_collect},     {"download", do_download}, {"read", do_read},
};

/* --- the line --- */

static char boot[9];
static unsigned long busy_with, answered;
static int served;
static char last_answer[LONGEST_LINE];

/* `kind` is H (here I am), B (I am at it) or R (the answer). */
static void send_line(char kind, unsigned long number, const char *words)
{
    static char line[LONGEST_LINE + 32];
    int length = snprintf(line + 2, sizeof line - 2, "%s %c %s %lu%s", protocol, kind, boot, number, words);
    unsigned crc = crc32_more(0, (unsigned char *)line + 2, (size_t)length);
    line[0] = '\r'; /* Ends whatever noise came before. */
    line[1] = '\n';
    length += 2;
    length += snprintf(line + length, sizeof line - (size_t)length, " *%08x\r\n", crc);
    line_write(line, length);
}

/* A request, if the line is one for us: its number, and its words in `w`. The line is taken apart. */
static unsigned long parse_request(char *line, struct words *w)
{
    char *start = strstr(line, protocol), *star = strrchr(line, '*');
    unsigned crc;
    if (!start || !star || star < start + 2 || star[-1] != ' ' || sscanf(star + 1, "%8x", &crc) != 1) return 0;
    if (crc32_more(0, (unsigned char *)start, (size_t)(star - 1 - start)) != crc) return 0;
    star[-1] = 0;
    char *part = strtok(start, " ");
    if (!part || strcmp(part, protocol) != 0) return 0;
    part = strtok(NULL, " ");
    if (!part || strcmp(part, "Q") != 0) return 0;
    part = strtok(NULL, " ");
    if (!part || strcmp(part, boot) != 0) return 0; /* For whoever was here before the restart. */
    part = strtok(NULL, " ");
    unsigned long number = part ? strtoul(part, NULL, 10) : 0;
    w->count = 0;
    while ((part = strtok(NULL, " ")) && w->count < MOST_WORDS) {
        char *equals = strchr(part, '=');
        if (!equals) continue;
        *equals = 0;
        unescape(equals + 1);
        w->name[w->count] = part;
        w->value[w->count] = equals + 1;
        w->count++;
    }
    return number;
}

/* The next whole line within `millis`, or NULL. */
static char *next_line(int millis)
{
    static char held[LONGEST_LINE], line[LONGEST_LINE];
    static int length;
    unsigned long begin = now_millis();
    for (;;) {
        for (int i = 0; i < length; i++) {
            if (held[i] != '\r' && held[i] != '\n') continue;
            memcpy(line, held, (size_t)i);
            line[i] = 0;
            length -= i + 1;
            memmove(held, held + i + 1, (size_t)length);
            if (i > 0) return line;
            i = -1;
        }
        if (length == (int)sizeof held) length = 0; /* Nobody of ours writes such lines. */
        unsigned long past = now_millis() - begin;
        if (past >= (unsigned long)millis && past > 0) return NULL;
        int got = line_read(held + length, (int)sizeof held - length, millis - (int)past);
        if (got <= 0 && now_millis() - begin >= (unsigned long)millis) return NULL;
        if (got > 0) length += got;
    }
}

void tend_line(void)
{
    struct words w;
    char *line;
    while ((line = next_line(0)) != NULL)
        if (parse_request(line, &w) == busy_with) send_line('B', busy_with, "");
}

static void serve(unsigned long number, const struct words *w)
{
    static struct answer a;
    memset(&a, 0, sizeof a);
    const char *name = word(w, "verb", "");
    size_t i = 0;
    while (i < sizeof verbs / sizeof *verbs && strcmp(verbs[i].name, name) != 0) i++;
    busy_with = number;
    send_line('B', number, "");
    if (i < sizeof verbs / sizeof *verbs) verbs[i].call(w, &a);
    else refuse(&a, "there is no verb \"%s\"", name);
    snprintf(last_answer, sizeof last_answer, " %s%s", a.failed ? "no=1" : "ok=1", a.text);
    answered = number;
    busy_with = 0;
    send_line('R', number, last_answer);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "agent PORT FOLDER\n");
        return 2;
    }
    disk = argv[2];
    platform_start();
    if (line_open(argv[1]) != 0) {
        fprintf(stderr, "%s cannot be opened\n", argv[1]);
        return 1;
    }
    read_settings();
    snprintf(boot, sizeof boot, "%08lx", ((unsigned long)time(NULL) * 1000 + now_millis()) & 0xfffffffful);
    for (unsigned long greeted = 0;;) {
        if (!served && (greeted == 0 || now_millis() - greeted >= HELLO_MILLIS)) {
            struct answer a = {0, 0, ""};
            tell_system(&a);
            send_line('H', 0, a.text);
            greeted = now_millis();
        }
        struct words w;
        const char *line = next_line(500);
        static char request[LONGEST_LINE]; /* Its words live here while the line goes on. */
        unsigned long number = line ? parse_request(strcpy(request, line), &w) : 0;
        if (number == 0) continue;
        served = 1;
        if (number == answered) send_line('R', number, last_answer);
        else if (number > answered) serve(number, &w);
    }
}
