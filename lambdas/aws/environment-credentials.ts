/** Stands for the SDK's chain of credential providers in the bundles: a Lambda has its credentials in the environment, and no others. */
export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";
