//! Spaces, rooms, messages and peers: handlers and the driver of the sync core.

use crate::{
    api::{Command, Handle, rooms as api},
    error::{AppError, Code},
    session::Session,
};

impl Handle<api::SpaceNew> for Session {
    async fn handle(&self, _: api::SpaceNew) -> Result<<api::SpaceNew as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SpaceList> for Session {
    async fn handle(&self, _: api::SpaceList) -> Result<<api::SpaceList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SpaceInvite> for Session {
    async fn handle(&self, _: api::SpaceInvite) -> Result<<api::SpaceInvite as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SpaceJoin> for Session {
    async fn handle(&self, _: api::SpaceJoin) -> Result<<api::SpaceJoin as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::SpaceMembers> for Session {
    async fn handle(&self, _: api::SpaceMembers) -> Result<<api::SpaceMembers as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::RoomNew> for Session {
    async fn handle(&self, _: api::RoomNew) -> Result<<api::RoomNew as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::RoomList> for Session {
    async fn handle(&self, _: api::RoomList) -> Result<<api::RoomList as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::RoomSend> for Session {
    async fn handle(&self, _: api::RoomSend) -> Result<<api::RoomSend as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::RoomRead> for Session {
    async fn handle(&self, _: api::RoomRead) -> Result<<api::RoomRead as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::RoomSeen> for Session {
    async fn handle(&self, _: api::RoomSeen) -> Result<<api::RoomSeen as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::AttachmentSave> for Session {
    async fn handle(&self, _: api::AttachmentSave) -> Result<<api::AttachmentSave as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::Share> for Session {
    async fn handle(&self, _: api::Share) -> Result<<api::Share as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::NodeStart> for Session {
    async fn handle(&self, _: api::NodeStart) -> Result<<api::NodeStart as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::NetPeers> for Session {
    async fn handle(&self, _: api::NetPeers) -> Result<<api::NetPeers as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}

impl Handle<api::NetDial> for Session {
    async fn handle(&self, _: api::NetDial) -> Result<<api::NetDial as Command>::Reply, AppError> {
        Err(AppError::new(Code::Internal, "being built"))
    }
}


/// State of this part of a session.
#[derive(Clone)]
pub(crate) struct State {}

impl State {
    /// Starts this part.
    pub(crate) async fn start(_core: &crate::session::Core) -> Result<Self, AppError> {
        Ok(Self {})
    }

    /// Stops it and waits.
    pub(crate) async fn stop(&self) {}
}

/// Bytes of `attachment/<id>` for the page.
pub(crate) async fn media(_session: &Session, id: &str) -> Result<crate::session::Media, AppError> {
    Err(AppError::new(Code::NotFound, format!("there is no attachment \"{id}\"")))
}
