// Moving averages and relative strength over many series at once.
//
// One invocation walks one series. Series lie bar by bar: the ticks of one bar of all series are
// neighbours. Long series come in chunks of rows; what a series carries from one chunk to the
// next is in `carried`. Values are left as the exact or split figures that the host combines in
// 64 bits. See gpu.rs for the layout and mod.rs for the tolerances.

struct Params {
    series: u32,      // series side by side
    rows: u32,        // bars of this chunk
    lead: u32,        // bars before the chunk that the ticks also hold
    first_row: u32,   // bar number of the chunk's first row
    period: u32,
    weight: f32,      // EMA: 2 / (period + 1); RSI: 1 / period
    keep: f32,        // RSI: 1 - 1 / period
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ticks: array<i32>;
@group(0) @binding(2) var<storage, read> lengths: array<u32>;
@group(0) @binding(3) var<storage, read_write> carried: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> values: array<vec2<u32>>;

// Ticks of a bar of the chunk; `back` bars earlier.
fn tick(row: u32, back: u32, series: u32) -> i32 {
    return ticks[(params.lead + row - back) * params.series + series];
}

// Sum of the last `period` ticks as a 64-bit number (low, high).
@compute @workgroup_size(64)
fn sma(@builtin(global_invocation_id) id: vec3<u32>) {
    let series = id.x;
    if series >= params.series {
        return;
    }
    var low = carried[series].x;
    var high = carried[series].y;
    for (var row = 0u; row < params.rows; row++) {
        let bar = params.first_row + row;
        if bar >= lengths[series] {
            break;
        }
        let added = low + u32(tick(row, 0u, series));
        high += select(0u, 1u, added < low);
        low = added;
        if bar >= params.period {
            let old = u32(tick(row, params.period, series));
            high -= select(0u, 1u, low < old);
            low -= old;
        }
        values[row * params.series + series] = vec2<u32>(low, high);
    }
    carried[series] = vec4<u32>(low, high, 0u, 0u);
}

// Exponential mean, split into whole ticks and a fraction so that the recursion's rounding is
// of the fraction only. The host seeds it with the mean of the first `period` ticks.
@compute @workgroup_size(64)
fn ema(@builtin(global_invocation_id) id: vec3<u32>) {
    let series = id.x;
    if series >= params.series {
        return;
    }
    var whole = bitcast<i32>(carried[series].x);
    var fraction = bitcast<f32>(carried[series].y);
    for (var row = 0u; row < params.rows; row++) {
        let bar = params.first_row + row;
        if bar >= lengths[series] {
            break;
        }
        if bar >= params.period {
            let distance = f32(tick(row, 0u, series) - whole) - fraction;
            let moved = fraction + params.weight * distance;
            let step = round(moved);
            whole += i32(step);
            fraction = moved - step;
        }
        values[row * params.series + series] = vec2<u32>(bitcast<u32>(whole), bitcast<u32>(fraction));
    }
    carried[series] = vec4<u32>(bitcast<u32>(whole), bitcast<u32>(fraction), 0u, 0u);
}

const SMALL: f32 = 8.6736174e-19;  // 2^-60
const LARGE: f32 = 1.1529215e18;   // 2^60

// Smoothed gains and losses. Only their ratio matters, and in a long calm both shrink towards
// nothing, so they are scaled up by 2^60 whenever they fall below 2^-60; `scaled` counts it.
// The host seeds them with the means of the first `period` changes.
@compute @workgroup_size(64)
fn rsi(@builtin(global_invocation_id) id: vec3<u32>) {
    let series = id.x;
    if series >= params.series {
        return;
    }
    var gain = bitcast<f32>(carried[series].x);
    var loss = bitcast<f32>(carried[series].y);
    var scaled = carried[series].z;
    for (var row = 0u; row < params.rows; row++) {
        let bar = params.first_row + row;
        if bar >= lengths[series] {
            break;
        }
        if bar > params.period {
            let change = tick(row, 0u, series) - tick(row, 1u, series);
            if change != 0 && scaled > 0u {
                let back = select(select(0.0, SMALL * SMALL, scaled == 2u), SMALL, scaled == 1u);
                gain *= back;
                loss *= back;
                scaled = 0u;
            }
            gain = gain * params.keep + f32(max(change, 0)) * params.weight;
            loss = loss * params.keep + f32(max(-change, 0)) * params.weight;
            let total = gain + loss;
            if total > 0.0 && total < SMALL {
                gain *= LARGE;
                loss *= LARGE;
                scaled += 1u;
            }
        }
        values[row * params.series + series] = vec2<u32>(bitcast<u32>(gain), bitcast<u32>(loss));
    }
    carried[series] = vec4<u32>(bitcast<u32>(gain), bitcast<u32>(loss), scaled, 0u);
}
