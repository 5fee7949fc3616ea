/* console.c: what the guest says, and its end. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <termios.h>
#include <unistd.h>

static char reason[160];             /* the first thing that went wrong; empty: nothing did */
static char recent[160];             /* the first since forget_complaint() */

static void emit(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        length -= (size_t)n;
    }
}

/* One report line, in one write, so that kernel messages do not get in between. */
void report(const char *format, ...)
{
    char line[512] = "MQGUEST ";
    size_t start = strlen(line);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + start, sizeof line - start - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t end = start + (size_t)n;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    line[end] = '\n';
    emit(line, end + 1);
}

/* Spaces become '-' so that it stays one word. */
void note(const char *format, ...)
{
    if (recent[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(recent, sizeof recent, format, args);
    va_end(args);
    for (char *c = recent; *c; c++)
        if (*c == ' ' || *c == '\n')
            *c = '-';
    if (!reason[0])
        memcpy(reason, recent, sizeof reason);
}

const char *complaint(void)
{
    return recent;
}

void forget_complaint(void)
{
    recent[0] = '\0';
}

void restart(void)
{
    tcdrain(STDOUT_FILENO);
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

static _Noreturn void power_off(void)
{
    tcdrain(STDOUT_FILENO);
    reboot(RB_POWER_OFF);
    restart();                              /* no ACPI: a reset ends it too, under -no-reboot */
}

void finish(void)
{
    if (reason[0])
        report("done ok=0 reason=%s uptime_ms=%ld", reason, now_ms());
    else
        report("done ok=1 uptime_ms=%ld", now_ms());
    power_off();
}

void on_alarm(int signal_number)
{
    (void)signal_number;
    static const char line[] = "\nMQGUEST done ok=0 reason=timeout\n";
    emit(line, sizeof line - 1);
    power_off();
}

void prepare_console(void)
{
    struct termios t;
    if (tcgetattr(STDIN_FILENO, &t) == 0) {
        t.c_oflag &= ~(tcflag_t)OPOST;      /* "\n", not "\r\n": easier on whoever reads it */
        t.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
}

/* A whole small file as a string; "" if it cannot be read. Returns its length. */
size_t slurp(const char *path, char *buffer, size_t size)
{
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n;
        while (length < size - 1 && (n = read(fd, buffer + length, size - 1 - length)) > 0)
            length += (size_t)n;
        close(fd);
    }
    buffer[length] = '\0';
    return length;
}
