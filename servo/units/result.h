#pragma once

/// `Result<T, E>`: a value or an error, with the names of C++23's std::expected, which g++ 12
/// does not have yet. The day the compiler has it, this file becomes an alias.

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

#include "servo/units/assert.h"

namespace gnomon {

template <typename E>
class Unexpected {
public:
    explicit Unexpected(E error) : error_(std::move(error)) {}
    const E& error() const& noexcept { return error_; }
    E&& error() && noexcept { return std::move(error_); }

private:
    E error_;
};

template <typename T, typename E>
class [[nodiscard]] Result {
public:
    // Implicit on purpose, as in std::expected: `return value;` and `return Unexpected(error);`.
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Unexpected<E> error) : state_(std::in_place_index<1>, std::move(error).error()) {}

    bool has_value() const noexcept { return state_.index() == 0; }
    explicit operator bool() const noexcept { return has_value(); }

    /// Requires has_value(); anything else is a mistake of the caller.
    T& value() & {
        GNOMON_ASSERT(has_value());
        return std::get<0>(state_);
    }
    const T& value() const& {
        GNOMON_ASSERT(has_value());
        return std::get<0>(state_);
    }
    T&& value() && {
        GNOMON_ASSERT(has_value());
        return std::get<0>(std::move(state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    T value_or(T fallback) const& {
        return has_value() ? std::get<0>(state_) : std::move(fallback);
    }

    /// Requires !has_value().
    const E& error() const {
        GNOMON_ASSERT(!has_value());
        return std::get<1>(state_);
    }

private:
    std::variant<T, E> state_;
};

/// Success without a value.
template <typename E>
class [[nodiscard]] Result<void, E> {
public:
    Result() = default;
    Result(Unexpected<E> error) : failed_(true), error_(std::move(error).error()) {}

    bool has_value() const noexcept { return !failed_; }
    explicit operator bool() const noexcept { return has_value(); }
    const E& error() const {
        GNOMON_ASSERT(failed_);
        return error_;
    }

private:
    bool failed_ = false;
    E error_{};
};

/// What the operating system refused: `what` names the call and its object ("bind 0.0.0.0:123"),
/// `code` is errno.
struct SysError {
    std::string what;
    int code = 0;

    /// "bind 0.0.0.0:123: Address already in use"
    std::string message() const { return what + ": " + std::generic_category().message(code); }

    /// The error in errno, now.
    static SysError last(std::string what) { return SysError{std::move(what), errno}; }
};

template <typename T>
using SysResult = Result<T, SysError>;

}  // namespace gnomon
