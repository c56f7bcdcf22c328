#include "dataplane/dpdk/eal.h"

#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <sched.h>
#include <unistd.h>

#include <cctype>
#include <csignal>
#include <string_view>

namespace gnomon {

namespace {

constexpr std::size_t kKeptLog = 8192;

/// What EAL changes in the thread that starts it, and what its own threads shall not inherit.
class ThreadStateKept {
public:
    ThreadStateKept() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &signals_);
        pthread_getaffinity_np(pthread_self(), sizeof(cores_), &cores_);
    }
    ~ThreadStateKept() {
        pthread_setaffinity_np(pthread_self(), sizeof(cores_), &cores_);
        pthread_sigmask(SIG_SETMASK, &signals_, nullptr);
    }
    ThreadStateKept(const ThreadStateKept&) = delete;
    ThreadStateKept& operator=(const ThreadStateKept&) = delete;

private:
    sigset_t signals_;
    cpu_set_t cores_;
};

bool names_error(std::string_view line) {
    // What EAL says after a driver has said why.
    if (line.find("ailed to attach device") != std::string_view::npos) return false;
    if (line.find("cannot attach the device") != std::string_view::npos) return false;
    for (const char* word : {"ail", "annot", "rror", "nvalid", "No such", "not "}) {
        if (line.find(word) != std::string_view::npos) return true;
    }
    return false;
}

std::string_view without_spaces(std::string_view line) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
        line.remove_suffix(1);
    }
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.front())) != 0) {
        line.remove_prefix(1);
    }
    return line;
}

}  // namespace

EalLog::EalLog() {
    cookie_io_functions_t functions{};
    functions.write = &EalLog::append;
    stream_ = fopencookie(this, "w", functions);
    if (stream_ == nullptr) return;
    setvbuf(stream_, nullptr, _IONBF, 0);
    rte_openlog_stream(stream_);
}

EalLog::~EalLog() {
    rte_openlog_stream(nullptr);
    if (stream_ != nullptr) fclose(stream_);
}

ssize_t EalLog::append(void* self, const char* text, std::size_t size) {
    std::string& tail = static_cast<EalLog*>(self)->tail_;
    tail.append(text, size);
    if (tail.size() > kKeptLog) tail.erase(0, tail.size() - kKeptLog / 2);
    return static_cast<ssize_t>(size);
}

void EalLog::clear() { tail_.clear(); }

std::string EalLog::reason() const {
    std::string_view rest = tail_;
    std::string_view last;
    while (!rest.empty()) {
        rest = without_spaces(rest);
        const auto end = rest.rfind('\n');
        const std::string_view line = end == std::string_view::npos ? rest : rest.substr(end + 1);
        if (last.empty()) last = line;
        if (names_error(line)) return std::string(line);
        rest = end == std::string_view::npos ? std::string_view() : rest.substr(0, end);
    }
    return std::string(last);
}

SysResult<std::unique_ptr<Eal>> Eal::start(const std::vector<std::string>& arguments) {
    std::unique_ptr<Eal> eal(new Eal());
    eal->arguments_ = arguments;
    std::vector<char*> argv;
    for (std::string& argument : eal->arguments_) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const ThreadStateKept kept;
    if (rte_eal_init(static_cast<int>(argv.size() - 1), argv.data()) < 0) {
        const int code = rte_errno;
        if (code == EALREADY) {
            return Unexpected(SysError{"DPDK can be started once in the life of a process", code});
        }
        std::string what = "starting DPDK";
        if (const std::string reason = eal->log_.reason(); !reason.empty()) {
            what += " (" + reason + ")";
        }
        return Unexpected(SysError{what, code});
    }
    eal->started_ = true;
    // Made though nothing is shared, and empty; nobody would remove it after a crash.
    rmdir(rte_eal_get_runtime_dir());
    return eal;
}

Eal::~Eal() {
    if (started_) rte_eal_cleanup();
}

EalThread::EalThread() : registered_(rte_thread_register() == 0) {}

EalThread::~EalThread() {
    if (registered_) rte_thread_unregister();
}

}  // namespace gnomon
