//! Startup and authentication.

use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{self, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

use super::{CancelKey, Outgoing, ServerError, State, Wire};
use crate::conninfo::ChannelBinding;
use crate::error::Error;
use crate::login::{Login, LoginError, LoginParams};
use crate::stream::Stream;

impl Login for Wire {
    async fn login(stream: Stream, params: LoginParams<'_>) -> Result<Self, LoginError> {
        let mut wire = Self {
            stream,
            incoming: BytesMut::new(),
            outgoing: Outgoing::default(),
            n_awaited: 0,
            state: State::Busy,
            has_changed: false,
            cancel_key: CancelKey {
                info: Arc::clone(params.info),
                endpoint: params.endpoint.clone(),
                tls: params.tls.as_ref().map(|(config, host)| (Arc::clone(config), (*host).to_owned())),
                process_id: 0,
                secret_key: 0,
            },
            liveness: Arc::default(),
        };
        wire.start_up(&params).await?;
        wire.authenticate(&params).await?;
        wire.wait_until_ready().await?;
        wire.has_changed = false;
        Ok(wire)
    }

    async fn ask(&mut self, sql: &'static str) -> Result<String, String> {
        let value = self.simple(sql).await.map_err(|error| format!("{error}\n"))?;
        value
            .and_then(|it| String::from_utf8(it.into()).ok())
            .ok_or_else(|| "the server gave no answer\n".into())
    }
}

impl Wire {
    async fn start_up(&mut self, params: &LoginParams<'_>) -> Result<(), LoginError> {
        let info = params.info;
        let mut settings = vec![("user", &*info.user), ("database", &*info.dbname)];
        settings.extend(info.options.as_deref().map(|it| ("options", it)));
        settings.extend(info.application_name.as_deref().map(|it| ("application_name", it)));
        settings.push(("client_encoding", "UTF8"));
        settings.extend(info.startup_settings.iter().map(|(name, value)| (*name, &**value)));
        frontend::startup_message(settings, &mut self.outgoing).map_err(|it| failed(&it))?;
        self.login_send().await
    }

    async fn authenticate(&mut self, params: &LoginParams<'_>) -> Result<(), LoginError> {
        let password = || {
            params
                .password
                .map(|it| it.expose().as_bytes())
                .ok_or_else(|| LoginError::GaveUp("fe_sendauth: no password supplied\n".into()))
        };
        let binding = params.info.channel_binding;
        let mut bound = false;
        loop {
            let message = self.login_receive().await?;
            match &message {
                Message::AuthenticationOk if binding == ChannelBinding::Require && !bound => {
                    return Err(LoginError::Failed(
                        "channel binding required, but server authenticated client without channel binding\n"
                            .into(),
                    ));
                }
                Message::AuthenticationOk => return Ok(()),
                Message::AuthenticationCleartextPassword | Message::AuthenticationMd5Password(_)
                    if binding == ChannelBinding::Require =>
                {
                    return Err(LoginError::Failed(
                        "channel binding required but not supported by server's authentication request\n"
                            .into(),
                    ));
                }
                Message::AuthenticationCleartextPassword => {
                    frontend::password_message(password()?, &mut self.outgoing).map_err(|it| failed(&it))?;
                    self.login_send().await?;
                }
                Message::AuthenticationMd5Password(body) => {
                    let hash = md5_hash(params.info.user.as_bytes(), password()?, body.salt());
                    frontend::password_message(hash.as_bytes(), &mut self.outgoing)
                        .map_err(|it| failed(&it))?;
                    self.login_send().await?;
                }
                Message::AuthenticationSasl(body) => {
                    bound = self.authenticate_sasl(body, password()?, binding).await?;
                }
                Message::AuthenticationGss
                | Message::AuthenticationSspi
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential => {
                    return Err(LoginError::Failed(
                        "authentication method requested by server is not supported\n".into(),
                    ));
                }
                _ => return Err(unexpected()),
            }
        }
    }

    /// SCRAM; whether the channel was bound.
    async fn authenticate_sasl(
        &mut self,
        offer: &AuthenticationSaslBody,
        password: &[u8],
        binding: ChannelBinding,
    ) -> Result<bool, LoginError> {
        let offered: Vec<&str> = offer.mechanisms().collect().map_err(|it| failed(&it))?;
        let offers = |it: &str| offered.contains(&it);
        let ours = match binding {
            ChannelBinding::Disable => None,
            ChannelBinding::Prefer | ChannelBinding::Require => self.stream.channel_binding(),
        };
        let (mechanism, channel, bound) = match ours {
            Some(data) if offers(SCRAM_SHA_256_PLUS) => {
                (SCRAM_SHA_256_PLUS, sasl::ChannelBinding::tls_server_end_point(data), true)
            }
            _ if binding == ChannelBinding::Require => {
                return Err(LoginError::Failed(
                    "channel binding is required, but server did not offer an authentication method that supports channel binding\n".into(),
                ));
            }
            _ if !offers(SCRAM_SHA_256) => {
                return Err(LoginError::Failed(
                    "none of the server's SASL authentication mechanisms are supported\n".into(),
                ));
            }
            // Says that we could have: a third party that removed the offer is found out.
            Some(_) => (SCRAM_SHA_256, sasl::ChannelBinding::unrequested(), false),
            None => (SCRAM_SHA_256, sasl::ChannelBinding::unsupported(), false),
        };
        let mut scram = ScramSha256::new(password, channel);
        frontend::sasl_initial_response(mechanism, scram.message(), &mut self.outgoing)
            .map_err(|it| failed(&it))?;
        self.login_send().await?;
        let Message::AuthenticationSaslContinue(body) = self.login_receive().await? else {
            return Err(unexpected());
        };
        scram.update(body.data()).map_err(|it| failed(&it))?;
        frontend::sasl_response(scram.message(), &mut self.outgoing).map_err(|it| failed(&it))?;
        self.login_send().await?;
        let Message::AuthenticationSaslFinal(body) = self.login_receive().await? else {
            return Err(unexpected());
        };
        scram.finish(body.data()).map_err(|it| failed(&it))?;
        Ok(bound)
    }

    async fn wait_until_ready(&mut self) -> Result<(), LoginError> {
        loop {
            match self.login_receive().await? {
                Message::BackendKeyData(body) => {
                    self.cancel_key.process_id = body.process_id();
                    self.cancel_key.secret_key = body.secret_key();
                }
                Message::ReadyForQuery(_) => return Ok(()),
                _ => {}
            }
        }
    }

    async fn login_send(&mut self) -> Result<(), LoginError> {
        self.send().await.map_err(connection_failed)
    }

    /// The next message; errors of the server end the login.
    async fn login_receive(&mut self) -> Result<Message, LoginError> {
        match self.receive().await.map_err(connection_failed)? {
            Message::ErrorResponse(body) => Err(ServerError::from(&body).into()),
            other => Ok(other),
        }
    }
}

fn connection_failed(error: Error) -> LoginError {
    match error {
        Error::Connection { message, .. } => LoginError::Failed(message),
        other => LoginError::Failed(format!("{other}\n")),
    }
}

fn failed(error: &io::Error) -> LoginError {
    LoginError::Failed(format!("{error}\n"))
}

fn unexpected() -> LoginError {
    LoginError::Failed("unexpected message from server during startup\n".into())
}
