// Applies one curve to every 8-bit value, four values in a word. Twin: `Curve::apply` in tone.rs.

struct Settings {
    words: u32,
    // Words handled by one row of workgroups in y.
    stride: u32,
}

@group(0) @binding(0) var<uniform> settings: Settings;
// 256 values of the curve, four in a word.
@group(0) @binding(1) var<storage, read> curve: array<u32, 64>;
@group(0) @binding(2) var<storage, read> source: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: array<u32>;

fn at(value: u32) -> u32 {
    return (curve[value >> 2u] >> ((value & 3u) * 8u)) & 255u;
}

@compute @workgroup_size(64)
fn apply(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * settings.stride + id.x;
    if id.x >= settings.stride || index >= settings.words {
        return;
    }
    let word = source[index];
    result[index] = at(word & 255u)
        | (at((word >> 8u) & 255u) << 8u)
        | (at((word >> 16u) & 255u) << 16u)
        | (at(word >> 24u) << 24u);
}
