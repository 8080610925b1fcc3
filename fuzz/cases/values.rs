//! Every value that is read from a peer: frames, bodies, signed values, invites. What is read and can be written comes
//! back the same.

use artel_domain::{
    Body, DeviceCertificate, DoorCode, Envelope, Genesis, InviteCode, Linked, Register, Signed,
};
use artel_sync::protocol::is_frame;

/// One case.
pub fn case(bytes: &[u8]) {
    let _ = is_frame(bytes);
    if let Ok(body) = Body::decode(bytes)
        && let Ok(again) = body.encode()
    {
        assert_eq!(Body::decode(&again).as_ref(), Ok(&body));
    }
    let _ = Signed::<Envelope>::open(bytes);
    let _ = Signed::<Genesis>::open(bytes);
    let _ = Signed::<Register>::open(bytes);
    let _ = Signed::<Linked>::open(bytes);
    let _ = Signed::<DeviceCertificate>::open(bytes);
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(code) = text.parse::<InviteCode>()
    {
        assert_eq!(code.to_string().parse::<InviteCode>().as_ref(), Ok(&code));
    }
    if let Ok(text) = str::from_utf8(bytes)
        && let Ok(code) = text.parse::<DoorCode>()
    {
        assert_eq!(code.to_string().parse::<DoorCode>().as_ref(), Ok(&code));
    }
}
