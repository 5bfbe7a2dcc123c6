//! Three small stacks, somebody who answers, and a transcript of what a user reads.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use deploy::{
    Engine, Outcome, Settings, Spec,
    inputs::Options,
    render::Plain,
    user::{Answer, User},
};
use futures_util::future::{BoxFuture, FutureExt, ready};
use infra_cfn::{Template, graph::Graph, params::ParameterFile, template::Parameter};

use crate::fake::Fake;

const VPC: &str = "\
Resources:
  Vpc: { Type: AWS::EC2::VPC }
Outputs:
  VpcId: { Value: !Ref Vpc, Export: { Name: !Sub '${AWS::StackName}-vpc' } }
";

const RDS: &str = "\
Parameters:
  Prefix: { Type: String, Default: app }
  Password: { Type: String, NoEcho: true, MinLength: 8 }
Resources:
  Database:
    Type: AWS::RDS::DBInstance
    DeletionPolicy: Snapshot
    Properties:
      VpcId: !ImportValue { 'Fn::Sub': '${Prefix}-vpc-vpc' }
Outputs:
  Host: { Value: !Ref Database, Export: { Name: !Sub '${AWS::StackName}-host' } }
";

const S3: &str = "\
Resources:
  Bucket: { Type: AWS::S3::Bucket, DeletionPolicy: Retain }
";

/// A run's surroundings.
pub(crate) struct Setup {
    pub(crate) specs: Vec<Spec>,
    pub(crate) settings: Settings,
    pub(crate) graph: Graph,
    pub(crate) user: Script,
}

/// Somebody whose answers are known beforehand.
pub(crate) struct Script {
    pub(crate) answer: Answer,
    pub(crate) value: Option<&'static str>,
    /// What is typed where a name is asked for: the name itself, or something else.
    pub(crate) types_names: bool,
    /// Whether this stands for a yes given beforehand, or for nobody at all.
    pub(crate) kind: Kind,
    pub(crate) asked: Mutex<Vec<String>>,
}

/// Who answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Reader,
    Yes,
    Nobody,
}

impl User for Script {
    fn confirm_by_name<'a>(&'a self, question: &'a str, name: &'a str) -> BoxFuture<'a, Answer> {
        self.asked.lock().unwrap().push(format!("{question} [{name}]"));
        ready(if self.types_names { Answer::Yes } else { Answer::No }).boxed()
    }

    fn is_there(&self) -> bool {
        self.kind == Kind::Reader
    }

    fn can_agree(&self) -> bool {
        self.kind != Kind::Nobody
    }

    fn confirm<'a>(&'a self, question: &'a str) -> BoxFuture<'a, Answer> {
        self.asked.lock().unwrap().push(question.to_owned());
        ready(self.answer).boxed()
    }

    fn value<'a>(&'a self, name: &'a str, _parameter: &'a Parameter) -> BoxFuture<'a, Option<String>> {
        self.asked.lock().unwrap().push(name.to_owned());
        ready(self.value.map(str::to_owned)).boxed()
    }
}

/// The stacks `vpc`, `s3` and `rds`, which imports from `vpc`.
pub(crate) fn setup() -> Setup {
    with_stacks(&[("vpc", VPC), ("s3", S3), ("rds", RDS)])
}

pub(crate) fn with_stacks(stacks: &[(&str, &str)]) -> Setup {
    let spec = |(name, text): &(&str, &str)| {
        let mut given = ParameterFile::default();
        if text.contains("Password") {
            given.set("Password", "hunter2hunter2");
        }
        Spec {
            name: (*name).to_owned(),
            stack_name: format!("app-{name}"),
            text: (*text).to_owned(),
            template: Template::parse(text).unwrap(),
            template_path: format!("{name}.yaml"),
            params_path: format!("{name}.json"),
            given,
            overridden: Vec::new(),
            options: Options::default(),
        }
    };
    let specs: Vec<Spec> = stacks.iter().map(spec).collect();
    let templates: Vec<_> = specs.iter().map(|it| (it.name.as_str(), &it.template)).collect();
    let graph = Graph::build("app", &templates).unwrap();
    let user = Script {
        answer: Answer::Yes,
        value: None,
        types_names: false,
        kind: Kind::Reader,
        asked: Mutex::default(),
    };
    let mut settings = Settings::new("app");
    settings.bucket_stack = Some(("app-s3".to_owned(), "TemplateBucketName".to_owned()));
    Setup { settings, graph, specs, user }
}

impl Setup {
    /// Only some of the stacks.
    pub(crate) fn only(mut self, names: &[&str]) -> Self {
        self.graph = self.graph.restrict(names);
        self
    }

    /// Somebody else who answers.
    pub(crate) fn by(mut self, kind: Kind) -> Self {
        self.user.kind = kind;
        if kind == Kind::Nobody {
            self.user.answer = Answer::No;
        }
        self
    }

    pub(crate) fn answering(mut self, answer: Answer) -> Self {
        self.user.answer = answer;
        self
    }

    pub(crate) fn spec_mut(&mut self, name: &str) -> &mut Spec {
        self.specs.iter_mut().find(|it| it.name == name).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.user.asked.lock().unwrap().clone()
    }

    /// Runs the engine and returns how it ended with what a user read, without colours.
    pub(crate) async fn run<F>(&self, fake: &Fake, act: F) -> (Outcome, String)
    where
        F: AsyncFnOnce(&Engine<'_, Fake>) -> Outcome,
    {
        let paper = Paper::default();
        let plain = Plain::to(Box::new(paper.clone()), Box::new(paper.clone()));
        let engine = Engine::new(fake, &plain, &self.user, &self.settings, &self.specs, &self.graph);
        let outcome = act(&engine).await;
        (outcome, paper.text())
    }

    pub(crate) async fn deploy(&self, fake: &Fake) -> (Outcome, String) {
        self.run(fake, async |engine| engine.deploy().await).await
    }

    pub(crate) async fn terminate(&self, fake: &Fake) -> (Outcome, String) {
        self.run(fake, async |engine| engine.terminate().await).await
    }
}

/// Keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

impl Paper {
    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap().clone();
        anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string()
    }
}

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
