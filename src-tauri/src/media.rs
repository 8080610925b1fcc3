//! The `media` protocol: pictures by opaque id, read off the event loop.
//!
//! `media://localhost/attachment/<id>` and `media://localhost/item/<job>/<index>`; on Windows
//! `http://media.localhost/…`. Only pictures are served as such, so that nothing a peer sent can
//! become a page or a script.

use artel_app::error::Code;
use tauri::{
    Manager, UriSchemeContext, UriSchemeResponder, Wry,
    http::{Request, Response, StatusCode, header},
};

use crate::{
    shell::{Shell, locked},
    window::MAIN,
};

/// Answers one request.
pub(crate) fn serve(
    context: UriSchemeContext<'_, Wry>,
    request: Request<Vec<u8>>,
    responder: UriSchemeResponder,
) {
    if context.webview_label() != MAIN {
        responder.respond(refusal(StatusCode::FORBIDDEN));
        return;
    }
    let app = context.app_handle().clone();
    tauri::async_runtime::spawn(async move {
        let Some(id) = decode(request.uri().path().trim_start_matches('/')) else {
            responder.respond(refusal(StatusCode::BAD_REQUEST));
            return;
        };
        let answer = match app.state::<Shell>().session().await {
            Some(session) => session.media(&id).await,
            None => Err(locked()),
        };
        responder.respond(match answer {
            Ok(media) => picture(&media.media_type, media.bytes),
            Err(error) => {
                tracing::debug!(%error, id, "no media");
                refusal(match error.code {
                    Code::NotFound => StatusCode::NOT_FOUND,
                    Code::Locked | Code::NotAllowed => StatusCode::FORBIDDEN,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                })
            }
        });
    });
}

fn picture(media_type: &str, bytes: Vec<u8>) -> Response<Vec<u8>> {
    // A vector picture may carry scripts; it is never served as one.
    let harmless = matches!(
        media_type,
        "image/jpeg" | "image/png" | "image/webp" | "image/gif" | "image/bmp"
    );
    if !harmless {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Response::builder()
        .header(header::CONTENT_TYPE, media_type)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; sandbox",
        )
        .header(header::CACHE_CONTROL, "no-store")
        .body(bytes)
        .unwrap_or_else(|_| refusal(StatusCode::INTERNAL_SERVER_ERROR))
}

fn refusal(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = status;
    response
}

/// Undoes percent encoding; `None` for what is not text.
pub(crate) fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| {
                char::from(byte)
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
            };
            let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_decoded_and_nonsense_is_refused() {
        for (path, expected) in [
            ("item/12/0", Some("item/12/0")),
            ("item%2F12%2F0", Some("item/12/0")),
            ("attachment/%D0%BA", Some("attachment/к")),
            ("a%2", None),
            ("a%zz", None),
            ("a%FF", None),
        ] {
            assert_eq!(decode(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn only_pictures_are_served_and_never_sniffed() {
        let good = picture("image/png", vec![1]);
        assert_eq!(good.status(), StatusCode::OK);
        assert_eq!(good.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        for media_type in ["image/svg+xml", "text/html", "application/javascript", ""] {
            assert_eq!(
                picture(media_type, vec![1]).status(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "{media_type}"
            );
        }
    }
}
