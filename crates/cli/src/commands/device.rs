//! `artel device`.

use artel_app::api::rooms::{DeviceList, DeviceRevoke};
use clap::Subcommand;

use crate::context::{Context, Exit};

#[derive(Subcommand)]
pub(crate) enum DeviceCommand {
    /// List the devices of this person
    #[command(after_help = "Example: artel device list")]
    List,
    /// End a device that was lost or replaced; what it wrote until now stays
    #[command(after_help = "Example: artel device revoke 3f9a0c12\n\n\
        One's own, or one of a member whom you may remove: their devices stand in artel space members --json.")]
    Revoke {
        /// Id of the device, or the beginning of it
        device: String,
    },
}

pub(crate) async fn run(context: &Context, command: DeviceCommand) -> anyhow::Result<Exit> {
    let client = context.client().await?;
    let output = &context.output;
    let done = match command {
        DeviceCommand::List => client.call(DeviceList {}).await.map(|devices| {
            output.many(
                &devices,
                &["device", "here", "spaces"],
                |device| {
                    vec![
                        device.device.clone(),
                        match (device.this, device.online) {
                            (true, _) => "this one",
                            (false, true) => "yes",
                            (false, false) => "",
                        }
                        .to_owned(),
                        device.spaces.join(", "),
                    ]
                },
                "There are no devices.",
            )
        }),
        DeviceCommand::Revoke { device } => {
            client.call(DeviceRevoke { device }).await.map(|revoked| {
                output.one(&revoked, || {
                    format!("The device has ended in {}.", revoked.spaces.join(", "))
                })
            })
        }
    };
    client.close().await;
    done??;
    Ok(Exit::Done)
}
