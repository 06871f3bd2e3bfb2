/*
 * The load of the data-plane benchmark: visitors and the service behind the relay, one thread each, so that both need
 * little of the one core they share. It measures the relay from outside: its processor time and memory as the kernel
 * accounts them, over a window in which the load is steady.
 *
 *   load serve PORT                                     services on PORT + 0 … 4, see enum service
 *   load WORK PORTS HELLO COUNT WARM_MS RUN_MS [PIDS]   visitors on 127.0.0.1; prints one line of JSON
 *
 * WORK: down, up (COUNT connections, as fast as they go), new (COUNT at a time: connect, 1 KB, end), pong (COUNT
 * connections with 100 bytes to and fro), idle (opens COUNT and leaves them). HELLO is a file with what every visitor
 * says first; a service reads exactly that many bytes before it begins. PORTS: visitors go to each of them in turn. PIDS:
 * the relay's processes. Both by commas.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define BULK_BYTES (256 * 1024)
#define SMALL_ANSWER_BYTES 1024
#define PING_BYTES 100
#define OPENING_AT_ONCE_MAX 128 /* idle: more than the backlog of some rivals holds would be refused */
#define IDLE_SETTLE_MS 1200
#define IDLE_PATIENCE_S 15
#define IDLE_COUNTED 4000 /* as in work.ts: the last so many; all, where there are not more */
#define SAMPLES_MAX (1 << 22)
#define PIDS_MAX 16
#define PORTS_MAX 2

enum service { SENDS, ANSWERS_AND_ENDS, ECHOES, SAYS_ONE_BYTE, SWALLOWS, SERVICES };

static char scratch[1024 * 1024];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void watch(int epoll, int operation, int descriptor, uint32_t events, void *what) {
    struct epoll_event event = {.events = events, .data.ptr = what};
    if (epoll_ctl(epoll, operation, descriptor, &event) < 0) die("epoll_ctl");
}

static void no_delay(int descriptor) {
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* ---- The services ---- */

struct served {
    int descriptor;
    enum service service;
    bool listens;
    int hello_left; /* -1: its length is not known yet */
};

/* A hello is one TLS record here: its length is in its fourth and fifth byte (RFC 8446 §5.1). */
static bool heard_hello(struct served *served, const unsigned char *bytes, int count) {
    if (served->hello_left < 0) served->hello_left = 5 + (bytes[3] << 8 | bytes[4]);
    served->hello_left -= count;
    return served->hello_left <= 0;
}

/* False: it is over. */
static bool serve_one(int epoll, struct served *served) {
    ssize_t count;
    if (served->hello_left != 0) {
        count = recv(served->descriptor, scratch, sizeof scratch, 0);
        if (count <= 0) return count < 0 && errno == EAGAIN;
        if (!heard_hello(served, (unsigned char *)scratch, (int)count)) return true;
        ssize_t more = -served->hello_left; /* said behind the hello */
        served->hello_left = 0;
        switch (served->service) {
        case SENDS: watch(epoll, EPOLL_CTL_MOD, served->descriptor, EPOLLOUT, served); return true;
        case ANSWERS_AND_ENDS: send(served->descriptor, scratch, SMALL_ANSWER_BYTES, MSG_NOSIGNAL); return false;
        case SAYS_ONE_BYTE: return send(served->descriptor, scratch, 1, MSG_NOSIGNAL) == 1;
        case ECHOES: return more == 0 || send(served->descriptor, scratch + count - more, (size_t)more, MSG_NOSIGNAL) == more;
        default: return true;
        }
    }
    if (served->service == SENDS) {
        count = send(served->descriptor, scratch, BULK_BYTES, MSG_NOSIGNAL);
        return count >= 0 || errno == EAGAIN;
    }
    if (served->service == ECHOES) {
        count = recv(served->descriptor, scratch, sizeof scratch, 0);
        if (count > 0) return send(served->descriptor, scratch, (size_t)count, MSG_NOSIGNAL) == count;
    } else {
        count = recv(served->descriptor, NULL, sizeof scratch, MSG_TRUNC);
    }
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static void serve(int port) {
    struct served doors[SERVICES];
    int epoll = epoll_create1(0);
    for (int i = 0; i < SERVICES; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(port + i))};
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int on = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        no_delay(door);
        if (bind(door, (struct sockaddr *)&at, sizeof at) < 0 || listen(door, 8192) < 0) die("listen");
        doors[i] = (struct served){.descriptor = door, .service = i, .listens = true};
        watch(epoll, EPOLL_CTL_ADD, door, EPOLLIN, &doors[i]);
    }
    for (;;) {
        struct epoll_event ready[EVENTS_MAX];
        int count = epoll_wait(epoll, ready, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct served *served = ready[i].data.ptr;
            if (!served->listens) {
                if (serve_one(epoll, served)) continue;
                close(served->descriptor);
                free(served);
                continue;
            }
            for (int accepted; (accepted = accept4(served->descriptor, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
                struct served *made = malloc(sizeof *made);
                *made = (struct served){.descriptor = accepted, .service = served->service, .hello_left = -1};
                watch(epoll, EPOLL_CTL_ADD, accepted, EPOLLIN, made);
            }
        }
    }
}

/* ---- The relay, as the kernel accounts it ---- */

static int pids[PIDS_MAX], pid_count;

/* Seconds of processor time of every thread, in nanoseconds' resolution. */
static double relay_cpu(void) {
    double total = 0;
    for (int i = 0; i < pid_count; i++) {
        char path[300];
        snprintf(path, sizeof path, "/proc/%d/task", pids[i]);
        DIR *tasks = opendir(path);
        for (struct dirent *task; tasks && (task = readdir(tasks));) {
            unsigned long long ran_ns;
            snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pids[i], task->d_name);
            FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
            if (!file) continue;
            if (fscanf(file, "%llu", &ran_ns) == 1) total += (double)ran_ns / 1e9;
            fclose(file);
        }
        if (tasks) closedir(tasks);
    }
    return total;
}

/* Proportional set size: memory that processes share counts once. */
static double relay_memory_bytes(void) {
    double total = 0;
    for (int i = 0; i < pid_count; i++) {
        char path[64], line[256];
        double kilobytes;
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pids[i]);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "Pss: %lf kB", &kilobytes) == 1) total += kilobytes * 1024;
        if (file) fclose(file);
    }
    return total;
}

/* ---- The visitors ---- */

enum work { DOWN, UP, NEW, PONG, IDLE };

struct visitor {
    int descriptor;
    bool connected;
    int heard; /* new: bytes of the answer */
    double since;
};

static enum work work;
static struct sockaddr_in relays[PORTS_MAX];
static unsigned relay_count, next_relay;
static char hello[20000];
static size_t hello_bytes;
static int epoll;
static uint64_t bytes, done, errors;
static uint32_t *samples; /* tenths of microseconds */
static uint64_t sample_count;

static void arrive(struct visitor *visitor) {
    visitor->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (visitor->descriptor < 0) die("socket");
    no_delay(visitor->descriptor);
    visitor->connected = false;
    visitor->heard = 0;
    visitor->since = seconds();
    connect(visitor->descriptor, (struct sockaddr *)&relays[next_relay++ % relay_count], sizeof *relays);
    watch(epoll, EPOLL_CTL_ADD, visitor->descriptor, EPOLLOUT, visitor);
}

static void failed(struct visitor *visitor) {
    errors++;
    close(visitor->descriptor);
    if (work == NEW) arrive(visitor);
}

static void sample(struct visitor *visitor) {
    double now = seconds();
    if (sample_count < SAMPLES_MAX) samples[sample_count++] = (uint32_t)((now - visitor->since) * 1e7);
    visitor->since = now;
    done++;
}

static void ping(struct visitor *visitor) {
    if (send(visitor->descriptor, scratch, PING_BYTES, MSG_NOSIGNAL) != PING_BYTES) failed(visitor);
}

static void connected(struct visitor *visitor) {
    int failure = 0;
    socklen_t length = sizeof failure;
    getsockopt(visitor->descriptor, SOL_SOCKET, SO_ERROR, &failure, &length);
    if (failure || send(visitor->descriptor, hello, hello_bytes, MSG_NOSIGNAL) != (ssize_t)hello_bytes) {
        failed(visitor);
        return;
    }
    visitor->connected = true;
    watch(epoll, EPOLL_CTL_MOD, visitor->descriptor, work == UP ? EPOLLOUT : EPOLLIN, visitor);
    if (work == PONG) visitor->since = seconds(), ping(visitor);
}

static void go_on(struct visitor *visitor) {
    if (!visitor->connected) return connected(visitor);
    ssize_t count = work == UP ? send(visitor->descriptor, scratch, BULK_BYTES, MSG_NOSIGNAL)
                               : recv(visitor->descriptor, NULL, sizeof scratch, MSG_TRUNC);
    if (count < 0 && errno == EAGAIN) return;
    if (work == NEW && count == 0 && visitor->heard == SMALL_ANSWER_BYTES) {
        sample(visitor);
        close(visitor->descriptor);
        return arrive(visitor);
    }
    if (count <= 0) return failed(visitor);
    bytes += (uint64_t)count;
    visitor->heard += (int)count;
    if (work == PONG) sample(visitor), ping(visitor);
    if (work == IDLE) done++;
}

static void turn(double until) {
    struct epoll_event ready[EVENTS_MAX];
    int left_ms = (int)((until - seconds()) * 1000) + 1;
    int count = epoll_wait(epoll, ready, EVENTS_MAX, left_ms < 0 ? 0 : left_ms);
    for (int i = 0; i < count; i++) go_on(ready[i].data.ptr);
}

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static double percentile_us(double part) {
    return sample_count ? samples[(uint64_t)((double)(sample_count - 1) * part)] / 10.0 : 0;
}

static void measure(struct visitor *visitors, int count, double warm, double run) {
    for (int i = 0; i < count; i++) arrive(&visitors[i]);
    for (double until = seconds() + warm; seconds() < until;) turn(until);
    bytes = done = errors = sample_count = 0;
    double cpu = relay_cpu(), from = seconds();
    while (seconds() < from + run) turn(from + run);
    double took = seconds() - from;
    cpu = relay_cpu() - cpu;
    qsort(samples, sample_count, sizeof *samples, by_size);
    printf("{\"seconds\":%.4f,\"cpuSeconds\":%.6f,\"gigabytes\":%.6f,\"done\":%lu,\"errors\":%lu,\"p50Us\":%.1f,\"p99Us\":%.1f,"
           "\"bytesPerConnection\":0,\"baseBytes\":0}\n",
           took, cpu, (double)bytes / 1e9, done, errors, percentile_us(0.5), percentile_us(0.99));
}

static void open_idle(struct visitor *visitors, int from, int to) {
    double until = seconds() + IDLE_PATIENCE_S;
    for (int opened = from; (int)(done + errors) < to && seconds() < until;) {
        while (opened < to && opened - (int)(done + errors) < OPENING_AT_ONCE_MAX) arrive(&visitors[opened++]);
        turn(until);
    }
    usleep(IDLE_SETTLE_MS * 1000);
}

/* The first ones fill what a relay keeps ready anyway; what the others add is theirs. */
static void measure_idle(struct visitor *visitors, int count) {
    int uncounted = count > IDLE_COUNTED ? count - IDLE_COUNTED : 0;
    double base = relay_memory_bytes();
    if (uncounted > 0) open_idle(visitors, 0, uncounted);
    double before = relay_memory_bytes();
    uint64_t first = done;
    open_idle(visitors, uncounted, count);
    double each = (relay_memory_bytes() - before) / (double)(done - first);
    double cpu = relay_cpu(), from = seconds();
    usleep(IDLE_SETTLE_MS * 1000);
    printf("{\"seconds\":%.4f,\"cpuSeconds\":%.6f,\"gigabytes\":0,\"done\":%lu,\"errors\":%lu,\"p50Us\":0,\"p99Us\":0,"
           "\"bytesPerConnection\":%.0f,\"baseBytes\":%.0f}\n",
           seconds() - from, relay_cpu() - cpu, done, errors, each, base);
}

static enum work work_named(const char *name) {
    static const char *const names[] = {"down", "up", "new", "pong", "idle"};
    for (int i = 0; i < 5; i++)
        if (strcmp(name, names[i]) == 0) return i;
    fprintf(stderr, "no such work: %s\n", name);
    exit(2);
}

static void read_hello(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) die(path);
    hello_bytes = fread(hello, 1, sizeof hello, file);
    fclose(file);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0) serve(atoi(argv[2]));
    if (argc < 7) return fprintf(stderr, "usage: see the head of load.c\n"), 2;
    work = work_named(argv[1]);
    for (char *port = strtok(argv[2], ","); port && relay_count < PORTS_MAX; port = strtok(NULL, ",")) {
        struct sockaddr_in *relay = &relays[relay_count++];
        *relay = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
        relay->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    }
    read_hello(argv[3]);
    int count = atoi(argv[4]);
    for (char *pid = argc > 7 ? strtok(argv[7], ",") : NULL; pid && pid_count < PIDS_MAX; pid = strtok(NULL, ","))
        pids[pid_count++] = atoi(pid);
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    struct visitor *visitors = calloc((size_t)count, sizeof *visitors);
    epoll = epoll_create1(0);
    if (work == IDLE) measure_idle(visitors, count);
    else measure(visitors, count, atoi(argv[5]) / 1e3, atoi(argv[6]) / 1e3);
    return 0;
}
