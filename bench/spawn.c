/* The machine's own limit: how many processes a second can be started, their output and exit codes kept.

   spawn COUNT PROCESSES PROGRAM [WORD...]   prints processes a second.

   PROCESSES processes each start COUNT / PROCESSES of PROGRAM one after the other: posix_spawn, a pipe for stdout and
   one for stderr, both read to their end, waitpid. Nothing is written anywhere, so no job system can be faster. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

struct kept {
    int status;
    size_t length;
    char output[64];
};

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void keep(struct kept *job, int out, int err) {
    struct pollfd pipes[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
    char piece[4096];
    int open_pipes = 2;
    while (open_pipes > 0) {
        if (poll(pipes, 2, -1) < 0) fail("poll");
        for (int i = 0; i < 2; i++) {
            if (!pipes[i].revents) continue;
            ssize_t got = read(pipes[i].fd, piece, sizeof piece);
            if (got <= 0) {
                close(pipes[i].fd);
                pipes[i].fd = -1;
                open_pipes--;
                continue;
            }
            if (job->length + (size_t)got <= sizeof job->output) memcpy(job->output + job->length, piece, (size_t)got);
            job->length += (size_t)got;
        }
    }
}

static void run(struct kept *job, char **words) {
    int out[2], err[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) fail("pipe2");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    if (posix_spawn(&pid, words[0], &actions, NULL, words, environ)) fail("posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    keep(job, out[0], err[0]);
    if (waitpid(pid, &job->status, 0) != pid) fail("waitpid");
}

int main(int count_of_words, char **words) {
    if (count_of_words < 4) return 2;
    int count = atoi(words[1]), processes = atoi(words[2]), failed = 0;
    struct timespec began, ended;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (int process = 0; process < processes; process++) {
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid > 0) continue;
        int mine = count / processes;
        struct kept *jobs = calloc((size_t)mine, sizeof *jobs);
        for (int i = 0; i < mine; i++) run(&jobs[i], words + 3);
        for (int i = 0; i < mine; i++) failed |= jobs[i].status;
        _exit(failed != 0);
    }
    for (int process = 0, status; process < processes; process++) {
        if (wait(&status) < 0) fail("wait");
        failed |= status;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double took_s = (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9;
    printf("%.1f\n", count / processes * processes / took_s);
    return failed != 0;
}
