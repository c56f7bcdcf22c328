#include "tests/bench/dataplane/bpf.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace gnomon::bench {
namespace {

long bpf(bpf_cmd command, bpf_attr& attributes) {
    return syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

std::uint64_t pointer(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

}  // namespace

void BpfAssembler::emit(std::uint8_t code, int destination, int source, std::int16_t offset,
                        std::int32_t immediate) {
    bpf_insn instruction{};
    instruction.code = code;
    instruction.dst_reg = static_cast<std::uint8_t>(destination & 15);
    instruction.src_reg = static_cast<std::uint8_t>(source & 15);
    instruction.off = offset;
    instruction.imm = immediate;
    instructions_.push_back(instruction);
}

void BpfAssembler::move(int destination, int source) {
    emit(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 0, 0);
}
void BpfAssembler::move_immediate(int destination, std::int32_t value) {
    emit(BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value);
}
void BpfAssembler::add_immediate(int destination, std::int32_t value) {
    emit(BPF_ALU64 | BPF_ADD | BPF_K, destination, 0, 0, value);
}
void BpfAssembler::add(int destination, int source) {
    emit(BPF_ALU64 | BPF_ADD | BPF_X, destination, source, 0, 0);
}
void BpfAssembler::and_immediate(int destination, std::int32_t value) {
    emit(BPF_ALU64 | BPF_AND | BPF_K, destination, 0, 0, value);
}
void BpfAssembler::shift_right(int destination, std::int32_t bits) {
    emit(BPF_ALU64 | BPF_RSH | BPF_K, destination, 0, 0, bits);
}
void BpfAssembler::xor_immediate(int destination, std::int32_t value) {
    emit(BPF_ALU64 | BPF_XOR | BPF_K, destination, 0, 0, value);
}
void BpfAssembler::subtract(int destination, int source) {
    emit(BPF_ALU64 | BPF_SUB | BPF_X, destination, source, 0, 0);
}
void BpfAssembler::to_big_endian(int destination, int bits) {
    emit(BPF_ALU | BPF_END | BPF_TO_BE, destination, 0, 0, bits);
}
void BpfAssembler::load(int size, int destination, int base, std::int16_t offset) {
    emit(static_cast<std::uint8_t>(BPF_LDX | size | BPF_MEM), destination, base, offset, 0);
}
void BpfAssembler::store(int size, int base, std::int16_t offset, int source) {
    emit(static_cast<std::uint8_t>(BPF_STX | size | BPF_MEM), base, source, offset, 0);
}
void BpfAssembler::atomic_add(int base, std::int16_t offset, int source) {
    emit(BPF_STX | BPF_DW | BPF_ATOMIC, base, source, offset, BPF_ADD);
}
void BpfAssembler::load_map(int destination, int map_fd) {
    emit(BPF_LD | BPF_DW | BPF_IMM, destination, BPF_PSEUDO_MAP_FD, 0, map_fd);
    emit(0, 0, 0, 0, 0);
}
void BpfAssembler::call(std::int32_t helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
void BpfAssembler::exit_with(std::int32_t value) {
    move_immediate(0, value);
    emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}
void BpfAssembler::jump_if(int operation, int destination, std::int32_t value,
                           const std::string& label) {
    jumps_[label].push_back(instructions_.size());
    emit(static_cast<std::uint8_t>(BPF_JMP | operation | BPF_K), destination, 0, 0, value);
}
void BpfAssembler::jump_if_register(int operation, int destination, int source,
                                    const std::string& label) {
    jumps_[label].push_back(instructions_.size());
    emit(static_cast<std::uint8_t>(BPF_JMP | operation | BPF_X), destination, source, 0, 0);
}
void BpfAssembler::place(const std::string& label) { labels_[label] = instructions_.size(); }

std::span<const bpf_insn> BpfAssembler::finish() {
    for (const auto& [label, users] : jumps_) {
        for (const std::size_t user : users) {
            instructions_[user].off = static_cast<std::int16_t>(labels_.at(label) - user - 1);
        }
    }
    return instructions_;
}

SharedArray::SharedArray(std::size_t entries, std::size_t value_size)
    : bytes_((entries * value_size + 4095) / 4096 * 4096) {
    bpf_attr attributes{};
    attributes.map_type = BPF_MAP_TYPE_ARRAY;
    attributes.key_size = 4;
    attributes.value_size = static_cast<std::uint32_t>(value_size);
    attributes.max_entries = static_cast<std::uint32_t>(entries);
    attributes.map_flags = BPF_F_MMAPABLE;
    fd_ = FileDescriptor(static_cast<int>(bpf(BPF_MAP_CREATE, attributes)));
    if (!fd_.is_open()) return;
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (memory != MAP_FAILED) memory_ = static_cast<volatile std::uint64_t*>(memory);
}

SharedArray::~SharedArray() {
    if (memory_ != nullptr) munmap(const_cast<std::uint64_t*>(memory_), bytes_);
}

FileDescriptor load_program(bpf_prog_type type, std::span<const bpf_insn> instructions) {
    static constexpr char kLicence[] = "Apache-2.0";
    std::vector<char> words(64 * 1024);
    bpf_attr attributes{};
    attributes.prog_type = type;
    attributes.insns = pointer(instructions.data());
    attributes.insn_cnt = static_cast<std::uint32_t>(instructions.size());
    attributes.license = pointer(kLicence);
    FileDescriptor fd(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
    if (fd.is_open()) return fd;
    // Once more, for the verifier's reasons.
    attributes.log_buf = pointer(words.data());
    attributes.log_size = static_cast<std::uint32_t>(words.size());
    attributes.log_level = 1;
    fd = FileDescriptor(static_cast<int>(bpf(BPF_PROG_LOAD, attributes)));
    if (!fd.is_open()) std::fprintf(stderr, "%s\n%s\n", std::strerror(errno), words.data());
    return fd;
}

bool run_live_frames(int program, std::span<const std::uint8_t> frame, int interface_index,
                     std::uint32_t batch) {
    xdp_md context{};
    context.data_end = static_cast<std::uint32_t>(frame.size());
    context.ingress_ifindex = static_cast<std::uint32_t>(interface_index);
    bpf_attr attributes{};
    attributes.test.prog_fd = static_cast<std::uint32_t>(program);
    attributes.test.data_in = pointer(frame.data());
    attributes.test.data_size_in = static_cast<std::uint32_t>(frame.size());
    attributes.test.ctx_in = pointer(&context);
    attributes.test.ctx_size_in = sizeof(context);
    attributes.test.repeat = 0xFFFFFFFF;
    attributes.test.flags = BPF_F_TEST_XDP_LIVE_FRAMES;
    attributes.test.batch_size = batch;
    return bpf(BPF_PROG_TEST_RUN, attributes) == 0 || errno == EINTR;
}

}  // namespace gnomon::bench
