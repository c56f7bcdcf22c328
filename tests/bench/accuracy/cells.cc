#include "tests/bench/accuracy/cells.h"

#include <algorithm>
#include <cstdio>

namespace gnomon::bench {

namespace {

struct Noise {
    const char* name;
    Jitter jitter;
    double scale_s;
};

std::string grid_name(const char* noise, double wander, double poll_s) {
    char name[80];
    std::snprintf(name, sizeof name, "%s q=%.0e T=%.0f", noise, wander, poll_s);
    return name;
}

void add_grid(std::vector<Cell>& cells) {
    const Noise noises[] = {{"50ns gauss", Jitter::Gaussian, 50e-9},
                            {"10us exp", Jitter::Exponential, 10e-6},
                            {"100us exp", Jitter::Exponential, 100e-6},
                            {"1ms exp", Jitter::Exponential, 1e-3},
                            {"10ms exp", Jitter::Exponential, 10e-3}};
    for (const Noise& noise : noises) {
        for (const double wander : {1e-10, 1e-9, 1e-8}) {
            for (const double poll_s : {1.0, 16.0, 64.0, 1024.0}) {
                Cell c;
                c.group = "grid";
                c.name = grid_name(noise.name, wander, poll_s);
                c.jitter = noise.jitter;
                c.jitter_s = noise.scale_s;
                c.wander = wander;
                c.poll_s = poll_s;
                c.base_delay_s = std::max(c.base_delay_s, 5.0 * noise.scale_s);
                cells.push_back(c);
            }
        }
    }
}

Cell exponential(const char* name, double jitter_s, double wander, double poll_s) {
    Cell c;
    c.group = "robust";
    c.name = name;
    c.jitter_s = jitter_s;
    c.wander = wander;
    c.poll_s = poll_s;
    return c;
}

void add_oscillators(std::vector<Cell>& cells) {
    Cell c = exponential("wander switches 1e-10/1e-8 each 10 ks, T=16", 1e-4, 1e-10, 16.0);
    c.other_wander = 1e-8;
    cells.push_back(c);
    c = exponential("temperature sine 1e-7/3600 s, T=16", 1e-4, 1e-9, 16.0);
    c.sine = 1e-7;
    cells.push_back(c);
    c.name = "temperature sine 1e-6/1800 s, T=16";
    c.sine = 1e-6;
    c.sine_period_s = 1800.0;
    cells.push_back(c);
}

void add_paths(std::vector<Cell>& cells) {
    Cell c = exponential("path +300 us, T=16", 1e-4, 1e-9, 16.0);
    c.path_step_s = 300e-6;
    cells.push_back(c);
    c.name = "path -300 us, T=16";
    c.path_step_s = -300e-6;
    cells.push_back(c);
    c = exponential("loss 50 %, T=16", 1e-4, 1e-9, 16.0);
    c.loss = 0.5;
    cells.push_back(c);
}

void add_hardware(std::vector<Cell>& cells) {
    Cell c = exponential("HW 20 ns gauss + 8 ns quantum, T=1", 20e-9, 1e-9, 1.0);
    c.jitter = Jitter::Gaussian;
    c.quantum_s = 8e-9;
    cells.push_back(c);
    c = exponential("HW 60 % idle + 2 us queue, ts 15 ns, q=1e-9, T=1", 2e-6, 1e-9, 1.0);
    c.jitter = Jitter::Idle;
    c.shape = 0.6;
    c.stamp_noise_s = 15e-9;
    cells.push_back(c);
    c.name = "HW 60 % idle + 2 us queue, ts 15 ns, q=1e-10, T=1";
    c.wander = 1e-10;
    cells.push_back(c);
    c = exponential("HW bursty queue 1 us, ts 15 ns, T=1", 1e-6, 1e-9, 1.0);
    c.jitter = Jitter::Bursty;
    c.stamp_noise_s = 15e-9;
    cells.push_back(c);
    c = exponential("HW exp 500 ns, ts 15 ns, 16/s, q=1e-10", 5e-7, 1e-10, 0.0625);
    c.stamp_noise_s = 15e-9;
    cells.push_back(c);
    c.name = "HW exp 500 ns, ts 15 ns, 16/s, q=1e-9";
    c.wander = 1e-9;
    cells.push_back(c);
    for (const double poll_s : {1.0, 16.0}) {
        c = exponential("", 50e-9, 1e-9, poll_s);
        c.jitter = Jitter::Gaussian;
        c.outlier_share = 0.05;
        c.outlier_s = 1e-5;
        c.name = poll_s == 1.0 ? "50 ns gauss + 5 % outliers 10 us, T=1"
                               : "50 ns gauss + 5 % outliers 10 us, T=16";
        cells.push_back(c);
    }
}

void add_networks(std::vector<Cell>& cells) {
    Cell c = exponential("SW LAN gamma3 20 us, T=16", 20e-6, 1e-9, 16.0);
    c.jitter = Jitter::Gamma;
    c.shape = 3.0;
    cells.push_back(c);
    c = exponential("SW LAN lognormal 20 us, T=16", 20e-6, 1e-9, 16.0);
    c.jitter = Jitter::Lognormal;
    cells.push_back(c);
    c = exponential("WAN lognormal 1 ms, T=64", 1e-3, 1e-9, 64.0);
    c.jitter = Jitter::Lognormal;
    c.base_delay_s = 10e-3;
    cells.push_back(c);
    c = exponential("WAN bursty 2 ms, T=64", 2e-3, 1e-9, 64.0);
    c.jitter = Jitter::Bursty;
    c.base_delay_s = 10e-3;
    cells.push_back(c);
    c = exponential("WAN 3:1 asymmetric exp 1 ms, T=64", 1e-3, 1e-9, 64.0);
    c.backward_factor = 1.0 / 3.0;
    c.base_delay_s = 10e-3;
    cells.push_back(c);
    for (const double poll_s : {1.0, 16.0}) {
        c = exponential("", 1e-4, 1e-9, poll_s);
        c.backward_factor = 0.0;
        c.name = poll_s == 1.0 ? "exp 100 us forward only, T=1" : "exp 100 us forward only, T=16";
        cells.push_back(c);
    }
    c = exponential("gamma3 100 us asymmetric 1:0.3, T=16", 1e-4, 1e-9, 16.0);
    c.jitter = Jitter::Gamma;
    c.shape = 3.0;
    c.backward_factor = 0.3;
    cells.push_back(c);
}

/// Other families than the one that the correction of near-normal asymmetry is derived for.
void add_other_asymmetries(std::vector<Cell>& cells) {
    Cell c = exponential("lognormal(0.3) 100 us asymmetric 1:0.3, T=16", 1e-4, 1e-9, 16.0);
    c.group = "asymmetric";
    c.jitter = Jitter::Lognormal;
    c.shape = 0.3;
    c.backward_factor = 0.3;
    cells.push_back(c);
    c.name = "gauss 10 us asymmetric 1:0.3, T=16";
    c.jitter = Jitter::Gaussian;
    c.jitter_s = 1e-5;
    cells.push_back(c);
}

void add_asymmetric(std::vector<Cell>& cells) {
    for (const double poll_s : {1.0, 16.0}) {
        Cell c = exponential("", 1e-4, 1e-9, poll_s);
        c.group = "asymmetric";
        c.jitter = Jitter::Gamma;
        c.shape = 10.0;
        c.backward_factor = 0.3;
        c.name = poll_s == 1.0 ? "gamma10 100 us asymmetric 1:0.3, T=1"
                               : "gamma10 100 us asymmetric 1:0.3, T=16";
        cells.push_back(c);
    }
    for (const double poll_s : {1.0, 16.0}) {
        Cell c = exponential("", 50e-9, 1e-9, poll_s);
        c.group = "asymmetric";
        c.jitter = Jitter::Gaussian;
        c.outlier_share = 0.05;
        c.outlier_s = 1e-5;
        c.outliers_both_ways = false;
        c.name = poll_s == 1.0 ? "50 ns gauss + outliers forward only, T=1"
                               : "50 ns gauss + outliers forward only, T=16";
        cells.push_back(c);
    }
}

}  // namespace

std::vector<Cell> all_cells() {
    std::vector<Cell> cells;
    add_grid(cells);
    add_oscillators(cells);
    add_paths(cells);
    add_hardware(cells);
    add_networks(cells);
    add_asymmetric(cells);
    add_other_asymmetries(cells);
    return cells;
}

}  // namespace gnomon::bench
