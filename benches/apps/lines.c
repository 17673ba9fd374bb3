// Writes numbered lines, or reads those of two writers, slowly, and checks every byte.
//
//   lines write COUNT SIZE               as instance NODE_APP_INSTANCE; then waits to be stopped
//   lines read COUNT SIZE EVERY SECONDS  pauses 5 ms after each EVERY bytes, gives up after SECONDS; prints
//                                        `lines=N whole=yes|no`
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 13, WRITERS = 2 };

static void fill(char *line, long size) {
  for (long at = 0; at < size - 1; at += 1) line[at] = 'a' + at % 26;
  line[size - 1] = '\n';
}

static void number(char *line, int writer, long count) {
  char head[32];
  snprintf(head, sizeof head, "w%d %010ld", writer, count);
  memcpy(line, head, HEAD);
}

static void write_all(const char *bytes, long size) {
  while (size > 0) {
    ssize_t done = write(1, bytes, size);
    if (done < 0) exit(1);
    bytes += done;
    size -= done;
  }
}

static void write_lines(long count, long size) {
  long each = size < 60000 ? 60000 / size : 1;
  int writer = atoi(getenv("NODE_APP_INSTANCE"));
  char *lines = malloc(each * size);
  for (long at = 0; at < each; at += 1) fill(lines + at * size, size);
  for (long done = 0; done < count;) {
    long now = count - done < each ? count - done : each;
    for (long at = 0; at < now; at += 1) number(lines + at * size, writer, done + at);
    write_all(lines, now * size);
    done += now;
  }
  for (;;) pause();
}

static int is_whole(const char *line, const char *expected, long size, long *next) {
  char head[32];
  int writer = line[1] - '0';
  if (writer < 0 || writer >= WRITERS) return 0;
  snprintf(head, sizeof head, "w%d %010ld", writer, next[writer]++);
  return !memcmp(line, head, HEAD) && !memcmp(line + HEAD, expected + HEAD, size - HEAD);
}

static int read_lines(long count, long size, long every, long seconds) {
  long room = size < 1000000 ? 1000000 / size * size : size;
  char *lines = malloc(room), *expected = malloc(size);
  long next[WRITERS] = {0}, seen = 0, filled = 0, since_pause = 0;
  time_t end = time(NULL) + seconds;
  int whole = 1;
  fill(expected, size);
  while (whole && seen < WRITERS * count && time(NULL) < end) {
    ssize_t got = read(0, lines + filled, room - filled);
    if (got <= 0) break;
    filled += got;
    since_pause += got;
    if (since_pause >= every) {
      nanosleep(&(struct timespec){0, 5000000}, NULL);
      since_pause = 0;
    }
    long at = 0;
    for (; whole && filled - at >= size; at += size, seen += 1) whole = is_whole(lines + at, expected, size, next);
    memmove(lines, lines + at, filled - at);
    filled -= at;
  }
  printf("lines=%ld whole=%s\n", seen, whole ? "yes" : "no");
  return 0;
}

int main(int words, char **word) {
  if (words == 4 && !strcmp(word[1], "write")) write_lines(atol(word[2]), atol(word[3]));
  if (words == 6 && !strcmp(word[1], "read"))
    return read_lines(atol(word[2]), atol(word[3]), atol(word[4]), atol(word[5]));
  return 2;
}
