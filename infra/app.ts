import { buildApp } from "./synthesise.ts";

buildApp().synth();
