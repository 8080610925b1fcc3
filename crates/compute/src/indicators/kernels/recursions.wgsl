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
    weight: f32,      // of a new bar in the EMA: 2 / (period + 1)
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

// 64-bit whole numbers as (low, high).
fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn minus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x));
}

// Long division by a number below 2^16, sixteen bits at a time.
fn divided(a: vec2<u32>, by: u32) -> vec2<u32> {
    let first = a.y >> 16u;
    let second = ((first % by) << 16u) | (a.y & 0xffffu);
    let third = ((second % by) << 16u) | (a.x >> 16u);
    let fourth = ((third % by) << 16u) | (a.x & 0xffffu);
    return vec2<u32>(((third / by) << 16u) | (fourth / by), ((first / by) << 16u) | (second / by));
}

fn up_a_byte(a: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(a.x << 8u, (a.y << 8u) | (a.x >> 24u));
}

fn down_bytes(a: vec2<u32>, bytes: u32) -> vec2<u32> {
    if bytes == 0u {
        return a;
    }
    if bytes >= 8u {
        return vec2<u32>(0u, 0u);
    }
    if bytes >= 4u {
        return vec2<u32>(a.y >> (8u * bytes - 32u), 0u);
    }
    return vec2<u32>((a.x >> (8u * bytes)) | (a.y << (32u - 8u * bytes)), a.y >> (8u * bytes));
}

// Wilder's mean: a - a / period + change / period, in ticks of 2^-32.
fn smoothed(a: vec2<u32>, change: u32) -> vec2<u32> {
    return plus(minus(a, divided(a, params.period)), divided(vec2<u32>(0u, change), params.period));
}

fn single(a: vec2<u32>) -> f32 {
    return f32(a.y) * 4294967296.0 + f32(a.x);
}

// Smoothed gains and losses as 64-bit fixed point, since in a trend one of them decays for very
// long and single precision would lose a little at every bar. Only their ratio matters, so both
// move up by bytes as they shrink and back when the price moves; `raised` counts the bytes. The
// host seeds them with the means of the first `period` changes.
@compute @workgroup_size(64)
fn rsi(@builtin(global_invocation_id) id: vec3<u32>) {
    let series = id.x;
    if series >= params.series {
        return;
    }
    var gain = carried[series].xy;
    var loss = carried[series].zw;
    var raised = carried[params.series + series].x;
    for (var row = 0u; row < params.rows; row++) {
        let bar = params.first_row + row;
        if bar >= lengths[series] {
            break;
        }
        if bar > params.period {
            let change = tick(row, 0u, series) - tick(row, 1u, series);
            if change != 0 {
                gain = down_bytes(gain, raised);
                loss = down_bytes(loss, raised);
                raised = 0u;
            }
            gain = smoothed(gain, u32(max(change, 0)));
            loss = smoothed(loss, u32(max(-change, 0)));
            if any((gain | loss) != vec2<u32>(0u, 0u)) && max(gain.y, loss.y) < 65536u {
                gain = up_a_byte(gain);
                loss = up_a_byte(loss);
                raised += 1u;
            }
        }
        values[row * params.series + series] =
            vec2<u32>(bitcast<u32>(single(gain)), bitcast<u32>(single(loss)));
    }
    carried[series] = vec4<u32>(gain, loss);
    carried[params.series + series] = vec4<u32>(raised, 0u, 0u, 0u);
}
