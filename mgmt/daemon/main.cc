/// The program `gnomond`: from command line and configuration to a running `Appliance`, and back.

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <utility>

#include "mgmt/config/parser.h"
#include "mgmt/daemon/appliance.h"
#include "mgmt/daemon/options.h"
#include "mgmt/runtime/daemonize.h"
#include "mgmt/runtime/log.h"
#include "mgmt/runtime/pidfile.h"
#include "mgmt/runtime/privileges.h"
#include "mgmt/runtime/storage.h"
#include "mgmt/runtime/system_call_filter.h"
#include "mgmt/runtime/telemetry_server.h"

namespace gnomon {
namespace {

constexpr mode_t kDataDirectoryMode = 0750;

ParsedConfig read_config(const ProgramName& program, const Options& options) {
    SystemConfigFiles files;
    ParseOptions parse{default_config(program.personality), options.restarted};
    ParsedConfig result = options.config_lines.empty()
                              ? parse_config_file(options.config_file, files, parse)
                              : parse_config_lines(options.config_lines, files, parse);
    if (options.print_once) {
        // Only a look at the time: nothing that another instance may be using is touched.
        result.config.server.port = 0;
        result.config.command.port = 0;
        result.config.command.socket_path.clear();
        result.config.process.pid_file.clear();
        result.config.process.telemetry_socket.clear();
    }
    return result;
}

void print_diagnostics(const std::vector<Diagnostic>& diagnostics) {
    for (const Diagnostic& diagnostic : diagnostics) {
        fprintf(stderr, "%s\n", diagnostic.to_string().c_str());
    }
}

SysResult<UserIds> daemon_user(const Options& options, const Config& config) {
    const UserIds current{geteuid(), getegid()};
    if (current.user != 0) return current;
    auto ids = find_user(options.user.empty() ? config.process.user : options.user);
    // Somebody who wants to know the time for once need not install a user.
    if (!ids && options.print_once && options.user.empty()) return current;
    return ids;
}

void prepare_directories(Config& config, const UserIds& ids) {
    CommandConfig& command = config.command;
    if (!command.socket_path.empty()) {
        if (auto ready = prepare_socket_directory(command.socket_path, ids.user, ids.group);
            !ready) {
            log_warning("Disabled command socket {} : {}", command.socket_path,
                        ready.error().message());
            command.socket_path.clear();
        }
    }
    std::string& telemetry = config.process.telemetry_socket;
    if (!telemetry.empty()) {
        if (auto ready = prepare_telemetry_directory(telemetry, ids.user, ids.group); !ready) {
            log_warning("Disabled telemetry socket {} : {}", telemetry, ready.error().message());
            telemetry.clear();
        }
    }
    const std::string pid_directory = parent_directory(config.process.pid_file);
    if (auto made = create_directories(pid_directory, 0755, ids.user, ids.group); !made) {
        log_error("Could not create directory : {}", made.error().message());
    }
    for (const std::string& directory : {config.log.directory, config.process.dump_dir}) {
        if (auto made = create_directories(directory, kDataDirectoryMode, ids.user, ids.group);
            !made) {
            log_error("Could not create directory : {}", made.error().message());
        }
    }
}

void raise_priorities(const Options& options, const Config& config) {
    const int priority = options.priority != 0 ? options.priority : config.process.sched_priority;
    if (priority > 0) {
        if (auto done = set_realtime_priority(priority); !done) {
            log_error("Could not set priority {} : {}", priority, done.error().message());
        }
    }
    if (options.lock_memory || config.process.lock_memory) {
        if (auto done = lock_memory(); !done) {
            log_error("Could not lock memory : {}", done.error().message());
        }
    }
}

SysResult<void> become_daemon_user(const Options& options, const Config& config,
                                   const UserIds& ids) {
    if (geteuid() != 0) return {};
    if (ids.user == 0 && ids.group == 0) {
        log_warning("Running with root privileges");
        return {};
    }
    KeptRights kept;
    kept.set_time = options.control_clock;
    kept.bind_ports = config.server.port > 0 && config.server.port < 1024;
    kept.polled_ports = !config.dataplane.ports.empty();
    kept.raw_devices = !config.server.bind_device.empty() || !config.client.bind_device.empty();
    return drop_privileges(ids, kept);
}

/// Said at the start and not when the first hour's frequency is lost.
void check_directories(const Options& options, const Config& config) {
    if (options.print_once) return;
    const std::string& drift_file = config.clock.drift_file;
    const std::pair<const char*, std::string> directories[] = {
        {"driftfile", drift_file.empty() ? "" : parent_directory(drift_file)},
        {"dumpdir", config.process.dump_dir},
        {"logdir", config.log.directory},
    };
    for (const auto& [directive, path] : directories) {
        auto writable = check_writable_directory(path);
        // Of those two a missing one has been reported by prepare_directories().
        const bool reported =
            path != directories[0].second && !writable && writable.error().code == ENOENT;
        if (!writable && !reported) {
            log_warning(
                "Nothing can be saved by {} : {} (make the directory and give it to the "
                "daemon's user)",
                directive, writable.error().message());
        }
    }
}

void open_log(const ProgramName& program, const Options& options) {
    if (!options.log_file.empty()) {
        if (auto opened = log().to_file(options.log_file); !opened) {
            log_error("Could not open log file : {}", opened.error().message());
        }
    } else if (!options.log_to_terminal) {
        log().to_syslog(program.name);
    }
    log().set_threshold(options.log_threshold);
}

int serve(const ProgramName& program, const Options& options, Config& config, ReadyPipe& parent) {
    PidFile pid_file(config.process.pid_file);
    if (const auto pid = pid_file.other_instance()) {
        return log_fatal("Another {} may already be running (pid={}), check {}", program.name, *pid,
                         config.process.pid_file);
    }
    const auto ids = daemon_user(options, config);
    if (!ids) {
        return log_fatal(
            "Could not get user/group ID of {} : create it, or name another one with -u",
            options.user.empty() ? config.process.user : options.user);
    }
    prepare_directories(config, *ids);
    if (auto written = pid_file.write(); !written) {
        return log_fatal("Could not write pid file : {} (directive pidfile)",
                         written.error().message());
    }

    Appliance appliance(options, config);
    if (auto opened = appliance.open_privileged(); !opened) {
        return log_fatal("{}", opened.error().message());
    }
    raise_priorities(options, config);
    if (auto dropped = become_daemon_user(options, config, *ids); !dropped) {
        return log_fatal("Could not become user {} : {}",
                         options.user.empty() ? config.process.user : options.user,
                         dropped.error().message());
    }
    check_directories(options, config);
    const SignalFlag signals;
    if (auto loaded =
            load_system_call_filter(options.filter_level, !config.dataplane.ports.empty());
        !loaded) {
        return log_fatal("Could not load seccomp filter : {} (option -F)",
                         loaded.error().message());
    }
    if (options.filter_level != 0) {
        log_info("Loaded seccomp filter (level {})", options.filter_level);
    }
    appliance.start();
    if (!parent.ready()) return 1;
    if (options.notify_fd >= 0) {
        if (auto told = notify_supervisor(options.notify_fd); !told) {
            return log_fatal("Could not send notification requested by -N option : {}",
                             told.error().message());
        }
    }
    if (auto told = notify_manager("READY=1"); !told) {
        return log_fatal("Could not send notification to $NOTIFY_SOCKET : {}",
                         told.error().message());
    }
    const int status = appliance.run(signals);
    log_info("{} exiting", program.name);
    if (auto told = notify_manager("STOPPING=1"); !told) {
        log_warning("Could not send notification to $NOTIFY_SOCKET : {}", told.error().message());
    }
    return status;
}

int run_program(int argc, char* argv[]) {
    const ProgramName program = ProgramName::from_argv0(argv[0]);
    const Options options = parse_options(argc, argv, program);
    switch (options.action) {
        case Options::Action::PrintHelp: fputs(help_text(program).c_str(), stdout); return 0;
        case Options::Action::PrintVersion: fputs(version_text(program).c_str(), stdout); return 0;
        case Options::Action::Refuse:
            fprintf(stderr, "%s\n%s", options.error.c_str(), help_text(program).c_str());
            return 1;
        case Options::Action::PrintConfig:
        case Options::Action::Run: break;
    }
    // Before anything is started, and all of it at once.
    ParsedConfig parsed = read_config(program, options);
    if (has_errors(parsed.diagnostics)) {
        print_diagnostics(parsed.diagnostics);
        return 1;
    }
    if (options.action == Options::Action::PrintConfig) {
        print_diagnostics(parsed.diagnostics);
        fputs(print_config(parsed.config).c_str(), stdout);
        return 0;
    }
    if (options.check_root && getuid() != 0) {
        return log_fatal(
            "Not superuser (start as root, or with -U if the needed rights are given)");
    }

    ReadyPipe parent;
    if (!options.foreground) {
        if (auto done = parent.daemonize(listen_fds()); !done) {
            return log_fatal("{}", done.error().message());
        }
    }
    open_log(program, options);
    log_info("{} version {} starting ({})", program.name, version(), features());
    for (const Diagnostic& diagnostic : parsed.diagnostics) {
        log_warning("{}", diagnostic.to_string());
    }
    return serve(program, options, parsed.config, parent);
}

}  // namespace
}  // namespace gnomon

int main(int argc, char* argv[]) {
    try {
        return gnomon::run_program(argc, argv);
    } catch (const std::exception& error) {
        return gnomon::log_fatal("{}", error.what());
    }
}
